"""FunASR model folders: recognised by their content, their configuration read, their files checked.

Nothing here imports torch or funasr. Only names inside the folder are followed; a folder never makes the program
fetch anything or run code that lies in it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from webui.engines import marker
from webui.engines.funasr.families import Family, Role, family_of, for_self_test

log = logging.getLogger(__name__)

CONFIGURATION = "configuration.json"
_CONFIG = "config.yaml"
_LARGEST_CONFIG = 4 * 2**20  # bytes; the real ones have a few kB

# Found beside config.yaml where configuration.json does not name them: file → where it belongs in the config.
_BY_NAME = {
    "tokens.txt": ("tokenizer_conf", "token_list"),
    "tokens.json": ("tokenizer_conf", "token_list"),
    "seg_dict": ("tokenizer_conf", "seg_dict"),
    "bpe.model": ("tokenizer_conf", "bpemodel"),
    "am.mvn": ("frontend_conf", "cmvn_file"),
    "jieba_usr_dict": ("jieba_usr_dict",),
}

Problem = tuple[str, Mapping[str, Any]]  # a code of errors.toml and what fills its wording


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
    def problem(self) -> Problem | None:
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
    _fill_by_name(path, config)
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
    """The first sound model in `root` for a part of the work: "vad", "punctuation" or "speaker"."""
    found = (folder for folder in folders(root) if folder.family.role == role)
    return next((folder for folder in found if folder.problem is None), None)


def whole(weights: Path) -> bool:
    """Whether a weights file is an archive with its end: torch's zip format, checked without reading it through."""
    try:
        with zipfile.ZipFile(weights) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _family(path: Path, class_name: str, config: Mapping[str, Any]) -> Family:
    family, mark = family_of(class_name, config), marker.read(path)
    return for_self_test(family, mark.languages) if mark is not None and mark.self_test else family


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
        found = yaml.safe_load(_text(file))
    except yaml.YAMLError:
        log.warning("%s in %s cannot be read", file.name, file.parent.name)
        return {}
    return found if isinstance(found, dict) else {}


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
        if not (path / name).is_file():
            continue
        place = config
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                break
        else:
            if not place.get(key):
                place[key] = str(path / name)


def _broken(model: str, reason: str, **params: Any) -> Problem:
    return "MODEL_BROKEN", {"model": model, "reason": {"code": reason, "params": params}}
