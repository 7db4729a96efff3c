"""FunASR model folders: recognised by their content, their configuration read, their files checked.

Nothing here imports torch or funasr. Only names inside the folder are followed; a folder never makes the program
fetch anything or run code that lies in it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from webui.engines import marker
from webui.engines.funasr.families import Family, Role, family_of, for_self_test, speaking
from webui.errors import Notice

log = logging.getLogger(__name__)

CONFIGURATION = "configuration.json"
_CONFIG = "config.yaml"
_LARGEST_CONFIG = 4 * 2**20  # bytes; the real ones have a few kB

# Found beside config.yaml where no configuration.json names files: file → where it belongs in the config.
_BY_NAME = {
    "tokens.txt": ("tokenizer_conf", "token_list"),
    "tokens.json": ("tokenizer_conf", "token_list"),
    "seg_dict": ("tokenizer_conf", "seg_dict"),
    "bpe.model": ("tokenizer_conf", "bpemodel"),
    "chn_jpn_yue_eng_ko_spectok.bpe.model": ("tokenizer_conf", "bpemodel"),
    "multilingual.tiktoken": ("ctc_tokenizer_conf", "vocab_path"),
    "am.mvn": ("frontend_conf", "cmvn_file"),
    "jieba_usr_dict": ("jieba_usr_dict",),
}
# Keys whose value is a file or folder of the model. Configurations also carry paths of the machine of the training.
_FILES = {"init_param", "init_param_path", "vocab_path", "token_list", "bpemodel", "cmvn_file", "seg_dict"}
_FILES |= {"seg_dict_file", "jieba_usr_dict"}
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_DEEPEST = 8  # references that lead to references
_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the head of torch's format before its zip archives


@dataclass(frozen=True)
class Folder:
    """A FunASR model on disk. `config`: config.yaml with the folder's files filled in as absolute paths."""

    path: Path
    class_name: str
    family: Family
    config: Mapping[str, Any]
    weights: Path
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size_bytes(self) -> int:
        return self.weights.stat().st_size if self.weights.is_file() else 0

    @property
    def revision(self) -> str:
        """A hash of the names and sizes of the files that make up the model."""
        digest = hashlib.sha256()
        for file in sorted(self.path.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.suffix not in (".onnx", ".data"):
                digest.update(f"{file.name}:{file.stat().st_size};".encode())
        return digest.hexdigest()[:16]

    @property
    def problem(self) -> Notice | None:
        """Why it cannot be used, as far as can be seen without loading it."""
        if self.missing:
            return _broken(self.name, "FILE_MISSING", file=self.missing[0])
        if not self.weights.is_file():
            return _broken(self.name, "FILE_MISSING", file=self.weights.name)
        if not whole(self.weights):
            return _broken(self.name, "FILE_DAMAGED", file=self.weights.name)
        return None


def read(path: Path) -> Folder | None:
    """The model in `path`, or None where it holds no FunASR model."""
    config_file = path / _CONFIG
    metas = _metas(path)
    config_name = metas.pop("config", None)
    if isinstance(config_name, str) and _inside(path, config_name):
        config_file = path / config_name
    config = _config(config_file)
    class_name = config.get("model")
    if not isinstance(class_name, str):
        return None
    missing = list(_fill(path, metas, config))
    if config_name is None:
        _fill_by_name(path, config)
    config = _named_in_the_folder(path, _resolved(config, config))
    weights = Path(config.pop("init_param", None) or path / "model.pt")
    return Folder(path, class_name, _family(path, class_name, config), config, weights, tuple(missing))


def folders(root: Path, further: Path | None = None) -> Iterator[Folder]:
    """The FunASR models directly under `root`, by name, then the one folder `further`."""
    candidates = sorted(root.iterdir()) if root.is_dir() else []
    for path in [*candidates, *([further] if further else [])]:
        if path.is_dir() and not path.name.startswith("."):
            folder = read(path)
            if folder is not None:
                yield folder


def helper(role: Role, root: Path) -> Folder | None:
    """The best sound model in `root` for a part of the work, by name: "vad", "punctuation" or "speaker"."""
    found = [folder for folder in folders(root) if folder.family.role == role and folder.problem is None]
    return max(found, key=lambda folder: folder.family.rank, default=None)


def whole(weights: Path) -> bool:
    """Whether a weights file is torch's: a zip archive with its end, or of the format before, whose end nobody sees."""
    try:
        with weights.open("rb") as file:
            if file.read(len(_LEGACY)) == _LEGACY:
                return True
        with zipfile.ZipFile(weights) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _family(path: Path, class_name: str, config: Mapping[str, Any]) -> Family:
    """Fun-ASR-Nano and its multilingual sister have the same configuration: its name tells, or the marker."""
    family, mark = family_of(class_name, config, multilingual="mlt" in path.name.lower()), marker.read(path)
    if mark is not None and mark.self_test:
        return for_self_test(family, mark.languages)
    return speaking(family, mark.languages) if mark is not None and mark.languages else family


def _metas(path: Path) -> dict[str, Any]:
    text = _text(path / CONFIGURATION)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        log.warning("%s in %s is no JSON", CONFIGURATION, path.name)
        return {}
    metas = found.get("file_path_metas") if isinstance(found, dict) else None
    return dict(metas) if isinstance(metas, dict) else {}


def _config(file: Path) -> dict[str, Any]:
    try:
        found = yaml.load(_text(file), _Loader)
    except yaml.YAMLError:
        log.warning("%s in %s cannot be read", file.name, file.parent.name)
        return {}
    return found if isinstance(found, dict) else {}


class _Loader(yaml.SafeLoader):
    """Numbers as FunASR reads them: 1e-5 is one."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8") if file.stat().st_size <= _LARGEST_CONFIG else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _inside(path: Path, name: str) -> bool:
    return (path / name).resolve().is_relative_to(path.resolve())


def _fill(path: Path, metas: Mapping[str, Any], config: dict[str, Any]) -> Iterator[str]:
    """Put the absolute paths of the files that `metas` names into `config`; yields those that are not there."""
    for key, value in metas.items():
        if isinstance(value, dict):
            inner = config.get(key)
            if not isinstance(inner, dict):
                inner = config[key] = {}
            yield from _fill(path, value, inner)
        elif isinstance(value, str):
            if _inside(path, value) and (path / value).exists():
                config[key] = str(path / value)
            else:
                yield value


def _fill_by_name(path: Path, config: dict[str, Any]) -> None:
    for name, (*outer, key) in _BY_NAME.items():
        if not (path / name).is_file() or (key == "token_list" and "entencepiece" in str(config.get("tokenizer"))):
            continue
        place = config
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                break
        else:
            if not place.get(key):
                place[key] = str(path / name)


def _resolved(value: Any, config: Mapping[str, Any], depth: int = _DEEPEST) -> Any:
    """`value` with what its references name in `config`: `${llm_conf.init_param_path}`. Unknown ones stay."""
    if isinstance(value, dict):
        return {key: _resolved(inner, config, depth) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, config, depth) for inner in value]
    reference = _REFERENCE.fullmatch(value) if isinstance(value, str) and depth else None
    if reference is None:
        return value
    found: Any = config
    for key in reference[1].split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return value if found is None else _resolved(found, config, depth - 1)


def _named_in_the_folder(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Files by their absolute paths; None for those that are not in the folder."""
    cleaned: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            cleaned[key] = _named_in_the_folder(path, value)
        elif key in _FILES and isinstance(value, str):
            cleaned[key] = str(path / value) if _inside(path, value) and (path / value).exists() else None
        else:
            cleaned[key] = value
    return cleaned


def _broken(model: str, reason: str, **params: Any) -> Notice:
    return Notice("MODEL_BROKEN", {"model": model, "reason": Notice(reason, params)})
