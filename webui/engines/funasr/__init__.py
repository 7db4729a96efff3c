"""Fun-ASR: SenseVoice, Paraformer, Fun-ASR-Nano and whatever else FunASR can load, behind a fence.

We decode, split, batch, decide and time; FunASR supplies the code of the models and the formats of their weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webui.engines.base import Model
from webui.engines.funasr import optimising
from webui.engines.funasr.folder import Folder, folders
from webui.errors import UserError

if TYPE_CHECKING:
    from webui.engines.funasr.optimising import Report
    from webui.settings import Settings


def models(settings: Settings) -> list[Model]:
    """The recognizers among the folders in `models/`, quick and without torch."""
    return [
        _model(folder, settings)
        for folder in folders(settings.models, settings.model_path)
        if folder.family.role == "recognizer"
    ]


def optimise(name: str, settings: Settings) -> Report:
    """Export the heavy parts of the model `name` for the CPU; a minute or two, and the report of how they agree.

    Raises UserError (MODEL_NOT_FOUND, MODEL_BROKEN, NOT_CAPABLE where nothing of it can be exported).
    """
    present = {folder.name: folder for folder in folders(settings.models, settings.model_path)}
    if name not in present:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(present))
    return optimising.optimise(present[name], settings).report


def _model(folder: Folder, settings: Settings) -> Model:
    def load(device: str) -> Any:
        from webui.engines.funasr.opening import open_recognizer

        return open_recognizer(folder, device, settings)

    def optimise() -> None:
        from webui.engines.funasr.apart import optimise_apart

        optimise_apart(folder.name, settings)

    exported = optimising.find(folder, settings)
    return Model(
        name=folder.name,
        engine="funasr",
        kind="recognizer",
        revision=folder.revision,
        capabilities=folder.family.capabilities,
        load=load,
        device_kinds=("any",),
        default_rank=folder.family.rank,
        size_bytes=folder.size_bytes,
        problem=folder.problem,
        optimise=optimise if optimising.optimisable(folder) else None,
        optimised={"use": exported.report.use, "errors": exported.report.errors} if exported else None,
    )
