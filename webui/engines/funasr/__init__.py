"""Fun-ASR: SenseVoice, Paraformer, Fun-ASR-Nano and those of FunASR's other models that were read, behind a guard.

We decode, split, batch, decide and time; FunASR supplies the code of the models and the formats of their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from webui.engines.base import (
    AnyModel,
    Capabilities,
    DetectorModel,
    EmbedderModel,
    PunctuatorModel,
    RecognizerModel,
)
from webui.engines.funasr.families import Role
from webui.engines.funasr.folder import Folder, named, read
from webui.engines.funasr.onnx import export
from webui.engines.model_folders import models_in_folders
from webui.engines.subprocesses import optimise_in_subprocess
from webui.errors import Notice

if TYPE_CHECKING:
    from webui.engines.funasr.punctuation import Punctuator
    from webui.engines.funasr.recognizer import FunasrRecognizer
    from webui.engines.funasr.speakers import SpeakerEmbedder
    from webui.engines.funasr.vad import FsmnDetector
    from webui.settings import Settings


def models(settings: Settings) -> list[AnyModel]:
    """What is in the folders in `models/`, quick and without torch."""

    def open_folder(path: Path) -> AnyModel | None:
        folder = read(path)
        return _OPENED[folder.family.role](folder, settings) if folder else None

    return models_in_folders(settings, "funasr", open_folder, ("torch", "funasr"))


def optimise(name: str, settings: Settings) -> None:
    """Export the heavy parts of the model `name` for the CPU, with a report of how they agree; a minute or two.

    Raises UserError (MODEL_NOT_FOUND, MODEL_BROKEN, NOT_CAPABLE where nothing of it can be exported).
    """
    export.optimise(named(name, settings), settings)


def _recognizer(folder: Folder, settings: Settings) -> RecognizerModel:
    def load(device: str) -> FunasrRecognizer:
        from webui.engines.funasr.opening import open_recognizer

        return open_recognizer(folder, device, settings)

    family, exported = folder.family, export.find(folder, settings)
    return RecognizerModel(
        name=folder.name,
        engine="funasr",
        revision=folder.revision,
        capabilities=family.capabilities,
        load=load,
        device_kinds=("any",),
        default_rank=family.rank,
        size_bytes=folder.size_bytes,
        problem=folder.problem,
        offered=not family.self_test,
        notice=Notice("SELF_TEST_ONLY", {"model": folder.name}) if family.self_test else None,
        optimise=partial(optimise_in_subprocess, optimise, folder.name, settings)
        if export.optimisable(folder)
        else None,
        optimised={"use": exported.report.use, "errors": exported.report.errors} if exported else None,
    )


def _detector(folder: Folder, _settings: Settings) -> DetectorModel:
    def load(device: str) -> FsmnDetector:
        from webui.engines.funasr.vad import FsmnDetector

        return FsmnDetector(folder, device)

    return DetectorModel(**_helper(folder), load=load)


def _embedder(folder: Folder, _settings: Settings) -> EmbedderModel:
    def load(device: str) -> SpeakerEmbedder:
        from webui.engines.funasr.speakers import SpeakerEmbedder

        return SpeakerEmbedder(folder, device)

    return EmbedderModel(**_helper(folder), load=load, device_kinds=("any",))


def _punctuator(folder: Folder, settings: Settings) -> PunctuatorModel:
    def load(device: str) -> Punctuator:
        from webui.engines.funasr.punctuation import Punctuator

        return Punctuator(folder, settings.cache, device)

    return PunctuatorModel(**_helper(folder), load=load)


class _Described(TypedDict):
    name: str
    engine: str
    revision: str
    capabilities: Capabilities
    default_rank: int
    size_bytes: int
    problem: Notice | None


def _helper(folder: Folder) -> _Described:
    """What is said of the folder of a model that serves a part of the work."""
    return {
        "name": folder.name,
        "engine": "funasr",
        "revision": folder.revision,
        "capabilities": folder.family.capabilities,
        "default_rank": folder.family.rank,
        "size_bytes": folder.size_bytes,
        "problem": folder.problem,
    }


_OPENED: Mapping[Role, Callable[[Folder, Settings], AnyModel]] = {
    "recognizer": _recognizer,
    "vad": _detector,
    "speaker": _embedder,
    "punctuation": _punctuator,
}
