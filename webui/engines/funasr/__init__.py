"""Fun-ASR: SenseVoice, Paraformer, Fun-ASR-Nano and whatever else FunASR can load, behind a fence.

We decode, split, batch, decide and time; FunASR supplies the code of the models and the formats of their weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webui.engines.base import Model
from webui.engines.funasr.folder import Folder, folders

if TYPE_CHECKING:
    from webui.settings import Settings


def models(settings: Settings) -> list[Model]:
    """The recognizers among the folders in `models/`, quick and without torch."""
    return [
        _model(folder, settings)
        for folder in folders(settings.models, settings.model_path)
        if folder.family.role == "recognizer"
    ]


def _model(folder: Folder, settings: Settings) -> Model:
    def load(device: str) -> Any:
        from webui.engines.funasr.opening import open_recognizer

        return open_recognizer(folder, device, settings)

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
    )
