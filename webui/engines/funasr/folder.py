"""FunASR model folders: recognised by their content, their configuration read, their files checked.

Nothing here imports torch or funasr. A folder never makes the program fetch anything or run code that lies in it: of
its configuration only classes that were read, numbers, words and the names of files inside it are left. Links lead to
where the bytes of such a file are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webui.engines import marker
from webui.engines.funasr.families import Family, family_of, for_self_test, speaking
from webui.engines.funasr.references import resolved
from webui.engines.model_folders import broken, folders
from webui.engines.weight_files import problem_of
from webui.errors import Notice, UserError
from webui.settings import Settings
from webui.untrusted import Unreadable, read_json, read_yaml

CONFIGURATION = "configuration.json"
_CONFIG = "config.yaml"

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
# Keys that FunASR takes for leave to fetch or to run what lies in a folder.
_NEVER = {"hub", "hub_token", "model_revision", "remote_code", "trust_remote_code"}
# A path of another place, an address, or the name of a repository of a hub.
_ELSEWHERE = re.compile(r"[~/\\]|\w+://|[A-Za-z]:[\\/]|(.*[\\/])?\.\.([\\/]|$)|[\w.-]+/[\w.-]+$")


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
            return broken(self.name, Notice("FILE_MISSING", {"file": self.missing[0]}))
        found = problem_of(self.weights, torch=self.weights.suffix == ".bin")
        return broken(self.name, found) if found else None


def read(path: Path) -> Folder | None:
    """The model in `path`, or None where it holds no FunASR model. Raises Unreadable, OSError."""
    config_file = path / _CONFIG
    metas = _metas(path)
    config_name = metas.pop("config", None)
    if isinstance(config_name, str) and _inside(path, config_name):
        config_file = path / config_name
    config = _mapping(read_yaml(config_file)) if config_file.exists() else {}
    class_name = config.get("model")
    if not isinstance(class_name, str):
        return None
    missing = list(_fill(path, metas, config))
    if config_name is None:
        _fill_by_name(path, config)
    config = _confined(path, resolved(config, config_file.name))
    weights = Path(config.pop("init_param", None) or path / "model.pt")
    return Folder(path, class_name, _family(path, class_name, config), config, weights, tuple(missing))


def named(name: str, settings: Settings) -> Folder:
    """The FunASR model of this name. Raises UserError (MODEL_NOT_FOUND, MODEL_BROKEN)."""
    present = {path.name: path for path in folders(settings)}
    try:
        folder = read(present[name]) if name in present else None
    except Unreadable as error:
        raise broken(name, error.notice).as_error() from error
    if folder is None:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(present))
    return folder


def _family(path: Path, class_name: str, config: Mapping[str, Any]) -> Family:
    """Fun-ASR-Nano and its multilingual sister have the same configuration: its name tells, or the marker."""
    family, mark = family_of(class_name, config, multilingual="mlt" in path.name.lower()), marker.read(path)
    if family is None:
        raise Unreadable("CLASS_UNSUPPORTED", name=class_name)
    if mark is not None and mark.self_test:
        return for_self_test(family, mark.languages)
    return speaking(family, mark.languages) if mark is not None and mark.languages else family


def _metas(path: Path) -> dict[str, Any]:
    file = path / CONFIGURATION
    return _mapping(_mapping(read_json(file)).get("file_path_metas")) if file.exists() else {}


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _inside(path: Path, name: str) -> bool:
    """By its name: where a link of the folder leads is not looked at."""
    inner = path / name
    return inner.is_relative_to(path) and ".." not in inner.parts[len(path.parts) :]


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


def _confined(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Files by their absolute paths; None for what is not in the folder, and nothing that would be fetched."""
    return {key: _value(path, key, value) for key, value in config.items() if key not in _NEVER}


def _value(path: Path, key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _confined(path, value)
    if isinstance(value, list):
        return [_confined(path, each) if isinstance(each, dict) else each for each in value]
    if not isinstance(value, str) or not (key in _FILES or _ELSEWHERE.match(value)):
        return value
    return str(path / value) if _inside(path, value) and (path / value).exists() else None
