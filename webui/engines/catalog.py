"""The models that are known by name, those that are present, and whether the folder of one is complete and sound.

`models/catalog.toml` says where a known model comes from and which files it needs; the engine modules say which
folders they can load. Nothing here imports torch.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from webui.disk import disk_full, free_bytes, sha256
from webui.engines import marker
from webui.engines.base import AnyModel, RecognizerModel, SynthesizerModel
from webui.errors import Notice, UserError
from webui.settings import ROOT, Settings
from webui.toml import read_toml

log = logging.getLogger(__name__)

M = TypeVar("M", bound=AnyModel)

BUILT_IN = ("webui.engines.basic", "webui.engines.funasr", "webui.engines.cosyvoice")
MANIFEST = ".shengfang.json"  # sizes and checksums, written by a download
INCOMING = ".incoming"  # models on their way, inside the models folder so that the last step is a rename

# Never copied into models/: weights only, and no hub's bookkeeping.
_LEFT_OUT = ("*.py", "__pycache__", ".git*", ".cache", ".msc", ".mv", ".mdl")


@dataclass(frozen=True)
class Entry:
    """A model known by name. `sources`: hub → repository; `size_bytes` 0 = nobody measured it."""

    name: str
    title: Mapping[str, str]
    kind: str  # recognizer | synthesizer | vad | punctuation | speaker
    engine: str
    languages: tuple[str, ...]
    capabilities: tuple[str, ...]
    licence: str
    sources: Mapping[str, str]
    needed: tuple[str, ...]
    recognise: Mapping[str, str]
    size_bytes: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    note: Mapping[str, str] = field(default_factory=dict)


def entries(settings: Settings) -> dict[str, Entry]:
    """The catalogue by name; the file in the models folder, where there is one, outranks the program's."""
    known = _catalogue(settings)["models"]
    return {name: _entry(name, value) for name, value in known.items()}


def hub(settings: Settings, name: str) -> Mapping[str, str]:
    """The URL templates `listing` and `file` of a hub. Raises UserError INVALID_FIELD."""
    hubs = _catalogue(settings)["hubs"]
    if name not in hubs:
        raise UserError("INVALID_FIELD", param="source", field="source", reason=", ".join(hubs))
    found: Mapping[str, str] = hubs[name]
    return found


def available(settings: Settings) -> list[AnyModel]:
    """Every model that an engine finds, the broken ones with their problem. A plug-in that fails costs one log line."""
    found: list[AnyModel] = []
    for module in (*BUILT_IN, *settings.engines):
        found += _models_of(module, settings)
    return found


def to_choose(models: Iterable[AnyModel]) -> list[RecognizerModel | SynthesizerModel]:
    """Those that people choose among; the others help where they are present."""
    return [model for model in models if isinstance(model, RecognizerModel | SynthesizerModel)]


def best(models: Iterable[AnyModel], kind: type[M]) -> M | None:
    """The highest ranked model of a kind that can be used; None where none is."""
    able = [model for model in models if isinstance(model, kind) and model.problem is None and model.default_rank >= 0]
    return max(able, key=lambda model: model.default_rank, default=None)


def optimise(settings: Settings, name: str) -> None:
    """Make the model `name` faster on the CPU, in some minutes. Raises UserError MODEL_NOT_FOUND, NOT_CAPABLE …"""
    named = [model for model in available(settings) if model.name == name]
    if not named:
        folder_of(settings, name)
    able = next((model.optimise for model in named if model.optimise), None)
    if able is None:
        raise UserError("NOT_CAPABLE", param="model", model=name, feature=Notice("FEATURE_OPTIMISE"))
    able()


def folder_of(settings: Settings, name: str) -> Path:
    """The folder of the model `name`. Raises UserError MODEL_NOT_FOUND."""
    if settings.model_path and settings.model_path.name == name:
        return settings.model_path
    present = _folders(settings)
    if name not in present:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(sorted(present)))
    return settings.models / name


def recognise(settings: Settings, folder: Path) -> list[Entry]:
    """The catalogue's entries whose marks are in the folder: by content, whatever it is called."""
    if marker.read(folder) is not None:
        return []  # of our own making, and none of the catalogue's
    return [entry for entry in entries(settings).values() if _bears_marks(folder, entry.recognise)]


def verify(settings: Settings, name: str) -> list[Notice]:
    """Presence of the needed files, sizes and checksums where known, readability of the rest; empty = all is well."""
    folder = folder_of(settings, name)
    known = recognise(settings, folder)
    entry = next((entry for entry in known if entry.name == name), known[0] if known else None)
    findings = _missing(folder, entry.needed) if entry else []
    sizes = dict(entry.sizes) if entry else {}
    manifest = _manifest(folder)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        relative = path.relative_to(folder).as_posix()
        expected = manifest.get(relative, {"size": sizes.get(relative)})
        findings += _check_file(path, relative, expected)
    return findings


def import_folder(settings: Settings, folder: Path, link: bool = False) -> str:
    """Copy (or link) a model folder into `models/`, whole or not at all; returns the model's name.

    Raises UserError (MODEL_UNRECOGNISED, MODEL_EXISTS, DISK_FULL).
    """
    folder = folder.expanduser().resolve()
    name = _name_for(settings, folder)
    target = settings.models / name
    if target.exists():
        raise UserError("MODEL_EXISTS", model=name)
    settings.models.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(folder, target_is_directory=True)
        return name
    need_space(settings, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
    incoming = settings.models / INCOMING / name
    shutil.rmtree(incoming, ignore_errors=True)
    shutil.copytree(folder, incoming, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    incoming.rename(target)
    return name


def need_space(settings: Settings, size: int) -> None:
    """Raises UserError DISK_FULL where `size` more bytes would eat into the reserve."""
    if free_bytes(settings.models) < size + settings.disk_reserve_bytes:
        raise disk_full(settings.models)


def _catalogue(settings: Settings) -> dict[str, Any]:
    own = settings.models / "catalog.toml"
    return read_toml(own if own.is_file() else ROOT / "models" / "catalog.toml")


def _entry(name: str, value: Mapping[str, Any]) -> Entry:
    lists = {key: tuple(value.get(key, ())) for key in ("languages", "capabilities", "needed", "skip")}
    return Entry(name=name, **{**value, **lists})


def _models_of(module: str, settings: Settings) -> list[AnyModel]:
    try:
        return list(importlib.import_module(module).models(settings))
    except Exception as error:  # a plug-in may fail as it likes; the others go on
        log.warning("engine %s gives no models: %s: %s", module, type(error).__name__, error)
        return []


def _folders(settings: Settings) -> set[str]:
    if not settings.models.is_dir():
        return set()
    return {path.name for path in settings.models.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _bears_marks(folder: Path, marks: Mapping[str, str]) -> bool:
    return all(_says(folder / name, text) for name, text in marks.items())


def _says(file: Path, text: str) -> bool:
    """Whether the file has `text` as a line of its own; any content will do for the empty text."""
    try:
        content = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not text or re.search(rf"^{re.escape(text)}\s*(#.*)?$", content, re.MULTILINE) is not None


def _name_for(settings: Settings, folder: Path) -> str:
    """The folder's own name; the catalogue's where the folder is a hub's cache and bears no name of its own."""
    known = recognise(settings, folder)
    if not known and not _models_at(settings, folder):
        raise UserError("MODEL_UNRECOGNISED", folder=folder.name)
    if len(known) == 1 and re.fullmatch(r"[0-9a-f]{40}|master|main|model", folder.name):
        return known[0].name
    return folder.name


def _models_at(settings: Settings, folder: Path) -> list[AnyModel]:
    alone = settings.model_copy(update={"model_path": folder, "models": folder / INCOMING})
    return [model for model in available(alone) if model.name == folder.name]


def _missing(folder: Path, needed: tuple[str, ...]) -> list[Notice]:
    absent = [names for names in needed if not any((folder / name).is_file() for name in names.split("|"))]
    return [Notice("FILE_MISSING", {"file": names.replace("|", " / ")}) for names in absent]


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return {}
    return files


def _check_file(path: Path, relative: str, expected: Mapping[str, Any]) -> Iterator[Notice]:
    size = path.stat().st_size
    if expected.get("size") not in (None, size):
        yield Notice("FILE_SIZE", {"file": relative, "size": size, "expected": expected["size"]})
    elif expected.get("sha256"):
        if sha256(path) != expected["sha256"]:
            yield Notice("FILE_CHANGED", {"file": relative})
    elif not _readable(path):
        yield Notice("FILE_DAMAGED", {"file": relative})


def _readable(path: Path) -> bool:
    """Whether the container is whole: the zip of a .pt, the header and length of a .safetensors, or any content."""
    try:
        if path.suffix == ".safetensors":
            return _whole_safetensors(path)
        if path.suffix in (".pt", ".pth", ".bin") and _begins_as_zip(path):
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False
    return path.stat().st_size > 0


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _whole_safetensors(path: Path) -> bool:
    """8 bytes length of the JSON header, the header, the tensors (the format's specification)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            return False
        header = json.loads(file.read(length))
    ends = [tensor["data_offsets"][1] for key, tensor in header.items() if key != "__metadata__"]
    return bool(path.stat().st_size == 8 + length + max(ends, default=0))
