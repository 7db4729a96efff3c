"""Fun-ASR: SenseVoice, Paraformer, Fun-ASR-Nano and whatever else FunASR can load, behind an import guard.

We decode, split, batch, decide and time; FunASR supplies the code of the models and the formats of their weights.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from webui.engines.base import Capabilities, Model
from webui.engines.funasr.families import with_speakers
from webui.engines.funasr.folder import Folder, folders, helper
from webui.engines.funasr.onnx import export
from webui.engines.subprocesses import optimise_in_subprocess
from webui.errors import UserError

if TYPE_CHECKING:
    from webui.settings import Settings


def models(settings: Settings) -> list[Model]:
    """The recognizers among the folders in `models/`, quick and without torch."""
    found = list(folders(settings.models, settings.model_path))
    speakers = any(folder.family.role == "speaker" and folder.problem is None for folder in found)
    return [_model(folder, settings, speakers) for folder in found if folder.family.role == "recognizer"]


def optimise(name: str, settings: Settings) -> None:
    """Export the heavy parts of the model `name` for the CPU, with a report of how they agree; a minute or two.

    Raises UserError (MODEL_NOT_FOUND, MODEL_BROKEN, NOT_CAPABLE where nothing of it can be exported).
    """
    present = {folder.name: folder for folder in folders(settings.models, settings.model_path)}
    if name not in present:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(present))
    export.optimise(present[name], settings)


def speaker_embedder(settings: Settings) -> Model | None:
    """The CAM++ model in `models/`, whose instances are SpeakerEmbedders; None where there is none that can be used."""
    folder = helper("speaker", settings.models)
    if folder is None:
        return None

    def load(device: str) -> Any:
        from webui.engines.funasr.speakers import SpeakerEmbedder

        return SpeakerEmbedder(folder, device)

    return Model(folder.name, "funasr", "speaker", folder.revision, Capabilities(), load, ("any",))


def _model(folder: Folder, settings: Settings, speakers: bool) -> Model:
    def load(device: str) -> Any:
        from webui.engines.funasr.opening import open_recognizer

        return open_recognizer(folder, device, settings)

    exported = export.find(folder, settings)
    return Model(
        name=folder.name,
        engine="funasr",
        kind="recognizer",
        revision=folder.revision,
        capabilities=with_speakers(folder.family.capabilities) if speakers else folder.family.capabilities,
        load=load,
        device_kinds=("any",),
        default_rank=folder.family.rank,
        size_bytes=folder.size_bytes,
        problem=folder.problem,
        optimise=partial(optimise_in_subprocess, optimise, folder.name, settings)
        if export.optimisable(folder)
        else None,
        optimised={"use": exported.report.use, "errors": exported.report.errors} if exported else None,
    )
