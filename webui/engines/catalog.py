"""The models that are known by name and those that are present.

`models/catalog.toml` says where a known model comes from and which files it needs; the engine modules say which
folders they can load. Nothing here imports torch.
"""

from __future__ import annotations

import importlib
import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from webui.disk import disk_full, free_bytes
from webui.engines import marker
from webui.engines.base import AnyModel, RecognizerModel, SynthesizerModel, UnusableModel
from webui.engines.model_folders import folders, shown_name, unopened, unusable
from webui.errors import Notice, UserError, reason_of
from webui.settings import ROOT, Settings
from webui.untrusted import Unreadable, read_text, read_toml

log = logging.getLogger(__name__)

M = TypeVar("M", bound=AnyModel)

BUILT_IN = ("webui.engines.basic", "webui.engines.funasr", "webui.engines.cosyvoice")
FILE = "catalog.toml"
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
    licence: str
    sources: Mapping[str, str]
    recognise: Mapping[str, str]
    languages: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    size_bytes: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    note: Mapping[str, str] = field(default_factory=dict)

    __pydantic_config__ = ConfigDict(extra="forbid")


_ENTRY = TypeAdapter(Entry)
_HUBS = TypeAdapter(dict[str, Mapping[str, str]])


def entries(settings: Settings) -> dict[str, Entry]:
    """The catalogue by name; the file in the models folder, where there is one, outranks the program's."""
    return _read(settings).entries


def hub(settings: Settings, name: str) -> Mapping[str, str]:
    """The URL templates `listing` and `file` of a hub. Raises UserError INVALID_FIELD."""
    hubs = _read(settings).hubs
    if name not in hubs:
        raise UserError("INVALID_FIELD", param="source", field="source", reason=", ".join(hubs))
    return hubs[name]


def available(settings: Settings) -> list[AnyModel]:
    """Every model that an engine finds, the broken ones with their problem, and what no engine can open.

    A plug-in that fails costs one log line.
    """
    found: list[AnyModel] = []
    for module in (*BUILT_IN, *settings.engines):
        found += _models_of(module, settings)
    usable = [model for model in found if not isinstance(model, UnusableModel)]
    opened = {model.name for model in usable}
    broken = {model.name: model for model in reversed(found) if model.name not in opened}
    odd = [unusable(settings.models / FILE, "", problem) for problem in _read(settings).problems]
    return [*usable, *broken.values(), *unopened(settings, opened | set(broken)), *odd]


def to_choose(models: Iterable[AnyModel]) -> list[RecognizerModel | SynthesizerModel]:
    """Those that people choose among; the others help where they are present."""
    return [model for model in models if isinstance(model, RecognizerModel | SynthesizerModel)]


def to_show(models: Iterable[AnyModel]) -> list[AnyModel]:
    """Those to choose among, and every other that has a problem."""
    return [model for model in models if isinstance(model, RecognizerModel | SynthesizerModel) or model.problem]


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
    present = {shown_name(folder): folder for folder in folders(settings)}
    if name not in present:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(sorted(present)))
    return present[name]


def recognise(settings: Settings, folder: Path) -> list[Entry]:
    """The catalogue's entries whose marks are in the folder: by content, whatever it is called."""
    try:
        if marker.read(folder) is not None:
            return []  # of our own making, and none of the catalogue's
    except (OSError, Unreadable):
        return []
    return [entry for entry in entries(settings).values() if _bears_marks(folder, entry.recognise)]


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


@dataclass(frozen=True)
class _Catalogue:
    """`problems`: of what was left out."""

    entries: dict[str, Entry]
    hubs: dict[str, Mapping[str, str]]
    problems: tuple[Notice, ...] = ()


def _read(settings: Settings) -> _Catalogue:
    """The catalogue in the models folder, without those of its entries that are none; else the program's."""
    problems: list[Notice] = []
    try:
        given = read_toml(settings.models / FILE)
    except (OSError, Unreadable) as error:
        problems += [error.notice] if isinstance(error, Unreadable) else []
        given = read_toml(ROOT / "models" / FILE)
    known: dict[str, Entry] = {}
    for name, value in _table(given, "models").items():
        try:
            known[name] = _ENTRY.validate_python(value | {"name": name} if isinstance(value, dict) else value)
        except ValidationError as error:
            problems.append(_misfit(name, error))
    try:
        hubs = _HUBS.validate_python(_table(given, "hubs"))
    except ValidationError as error:
        hubs = {}
        problems.append(_misfit("hubs", error))
    return _Catalogue(known, hubs, tuple(problems))


def _table(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name, {})
    return found if isinstance(found, dict) else {}


def _misfit(name: str, error: ValidationError) -> Notice:
    found = error.errors()
    first = next((each for each in found if each["type"] == "unexpected_keyword_argument"), found[0])
    key = ".".join(map(str, (name, *first["loc"])))
    return Notice("FILE_KEY", {"file": FILE, "key": key, "reason": reason_of(first)})


def _models_of(module: str, settings: Settings) -> list[AnyModel]:
    try:
        return list(importlib.import_module(module).models(settings))
    except Exception as error:  # a plug-in may fail as it likes; the others go on
        log.warning("engine %s gives no models: %s: %s", module, type(error).__name__, error)
        return []


def _bears_marks(folder: Path, marks: Mapping[str, str]) -> bool:
    return all(_says(folder / name, text) for name, text in marks.items())


def _says(file: Path, text: str) -> bool:
    """Whether the file has `text` as a line of its own; any content will do for the empty text."""
    if not text:
        return file.is_file()
    try:
        content = read_text(file)
    except (OSError, Unreadable):
        return False
    return re.search(rf"^{re.escape(text)}\s*(#.*)?$", content, re.MULTILINE) is not None


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
    found = [model for model in available(alone) if model.name == folder.name]
    return [model for model in found if not isinstance(model, UnusableModel)]
