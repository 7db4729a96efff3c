"""The folders in `models/`: each is opened by itself, and one that fails is a line with its reason, never the loss of
the others."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from webui.engines.base import AnyModel, Capabilities, UnusableModel
from webui.errors import Notice
from webui.untrusted import Unreadable

if TYPE_CHECKING:
    from webui.settings import Settings

log = logging.getLogger(__name__)

_LOOKED_AT = 1000  # entries of a folder, at most
_WEIGHTS = (".pt", ".pth", ".bin", ".safetensors", ".onnx", ".om")


def folders(settings: Settings) -> list[Path]:
    """What lies in `models/` for a model, links that lead nowhere too, and the one at `model_path`.

    Raises OSError where `models/` itself cannot be read.
    """
    present = sorted(settings.models.iterdir()) if settings.models.is_dir() else []
    further = [settings.model_path] if settings.model_path else []
    return [path for path in (*present, *further) if not path.name.startswith(".") and not _is_file(path)]


def models_in_folders(
    settings: Settings, engine: str, open_folder: Callable[[Path], AnyModel | None], packages: Iterable[str] = ()
) -> list[AnyModel]:
    """What `open_folder` finds in each folder: None where it is another engine's, and whatever it raises is the
    folder's problem. Without one of `packages` nothing can be loaded."""
    opened = [_opened(folder, engine, open_folder) for folder in folders(settings)]
    lacking = lacking_package(*packages)
    return [without(model, lacking) if lacking else model for model in opened if model is not None]


def lacking_package(*packages: str) -> str | None:
    """The first that is not installed; none is imported."""
    return next((package for package in packages if importlib.util.find_spec(package) is None), None)


def without(model: AnyModel, package: str) -> AnyModel:
    """The model where a package that it needs is not installed."""
    problem = broken(model.name, Notice("PACKAGE_MISSING", {"package": package}))
    return model if model.problem else replace(model, problem=problem)


def unopened(settings: Settings, opened: set[str]) -> Iterator[AnyModel]:
    """The folders that no engine opened, each with the reason."""
    try:
        left = [folder for folder in folders(settings) if shown_name(folder) not in opened]
    except OSError:
        yield unusable(settings.models, "", Notice("FOLDER_LOCKED"))
        return
    for folder in left:
        yield unusable(folder, "", _why(folder))


def unusable(folder: Path, engine: str, reason: Notice) -> UnusableModel:
    """The line of a folder of which nothing can be made."""
    name = shown_name(folder)
    problem = broken(name, reason)

    def load(_device: str) -> NoReturn:
        raise problem.as_error(param="model")

    return UnusableModel(name, engine, "", Capabilities(), load, problem=problem, default_rank=-1)


def broken(model: str, reason: Notice) -> Notice:
    """The problem of a model that cannot be loaded as its folder is."""
    return Notice("MODEL_BROKEN", {"model": model, "reason": reason})


def shown_name(folder: Path) -> str:
    """The folder's name; what is no text in it is shown as such."""
    return os.fsencode(folder.name).decode("utf-8", "replace")


def _opened(folder: Path, engine: str, open_folder: Callable[[Path], AnyModel | None]) -> AnyModel | None:
    try:
        return open_folder(folder) if _enterable(folder) else None  # `unopened` says why
    except Unreadable as error:
        return unusable(folder, engine, error.notice)
    except OSError as error:
        return unusable(folder, engine, _of_the_system(error, folder))
    except Exception as error:  # whatever the folder made the engine stumble over
        log.warning("%s: %s cannot read it: %s: %s", folder.name, engine, type(error).__name__, error)
        return unusable(folder, engine, Notice("FOLDER_ODD", {"error": type(error).__name__}))


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False


def _enterable(folder: Path) -> bool:
    return shown_name(folder) == folder.name and folder.is_dir() and len(_inside(folder)) < _LOOKED_AT


def _inside(folder: Path) -> list[Path]:
    return list(islice(folder.iterdir(), _LOOKED_AT))


def _of_the_system(error: OSError, folder: Path) -> Notice:
    if not isinstance(error, PermissionError):
        return Notice("FOLDER_ODD", {"error": error.strerror or type(error).__name__})
    file = Path(str(error.filename))
    return Notice("FOLDER_LOCKED") if file == folder else Notice("FILE_LOCKED", {"file": file.name})


def _why(folder: Path) -> Notice:
    """What keeps every engine from opening it."""
    if shown_name(folder) != folder.name:
        return Notice("FOLDER_NAME")
    try:
        return _of_content(_inside(folder)) if folder.is_dir() else Notice("LINK_BROKEN", {"file": folder.name})
    except OSError as error:
        return _of_the_system(error, folder)


def _of_content(inside: list[Path]) -> Notice:
    if not inside:
        return Notice("FOLDER_EMPTY")
    if len(inside) == _LOOKED_AT:
        return Notice("FOLDER_CROWDED", {"most": _LOOKED_AT})
    if not any(map(_tells, inside)):
        inner = next((path.name for path in inside if path.is_dir() and _holds_a_model(path)), None)
        if inner is not None:
            return Notice("FOLDER_NESTED", {"inner": inner})
    if any(path.suffix in _WEIGHTS for path in inside) and not any(map(_configures, inside)):
        return Notice("FOLDER_UNCONFIGURED")
    return Notice("FOLDER_UNKNOWN")


def _tells(file: Path) -> bool:
    return file.suffix in _WEIGHTS or _configures(file)


def _configures(file: Path) -> bool:
    return file.suffix in (".yaml", ".json") and file.is_file()


def _holds_a_model(folder: Path) -> bool:
    try:
        return any(map(_tells, _inside(folder)))
    except OSError:
        return False
