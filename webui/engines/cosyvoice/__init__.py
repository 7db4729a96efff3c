"""CosyVoice3 on any torch device: our own runtime for the official Fun-CosyVoice3-0.5B weights.

Importing this package imports no torch; `load` and `Model.load` do.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.devices import load_torch
from webui.engines.base import Model
from webui.engines.cosyvoice.folder import CAPABILITIES, files, folders, problem, revision
from webui.errors import UserError

if TYPE_CHECKING:
    from webui.engines.cosyvoice.runtime import Runtime
    from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer
    from webui.settings import Settings

__all__ = ["load", "models"]


def load(folder: Path | str, device: str = "cpu", dtype: Any = "float32") -> Runtime:
    """The runtime of the model in `folder` on a torch device ("cpu", "npu:0", "cuda" …).

    `dtype`: the numbers of the language model and the flow, "float32", "bfloat16" or "float16" (or a
    torch.dtype); the vocoder is always float32. Raises UserError MODEL_BROKEN naming file and key.
    """
    load_torch()
    from webui.engines.cosyvoice.runtime import Runtime

    return Runtime.load(Path(folder), device, dtype)


def models(settings: Settings) -> list[Model]:
    """The CosyVoice models in `models/` and at `model_path`, the broken ones with their problem; without torch."""
    return [_model(folder, settings) for folder in folders(settings)]


def _model(folder: Path, settings: Settings) -> Model:
    return Model(
        name=folder.name,
        engine="cosyvoice",
        kind="synthesizer",
        revision=revision(folder),
        capabilities=CAPABILITIES,
        load=partial(_load, folder, settings.device_graphs),
        device_kinds=("any",),
        default_rank=30,
        size_bytes=sum(path.stat().st_size for path in files(folder)),
        problem=problem(folder),
        check_text=_check_text,
    )


def _load(folder: Path, graphs: bool, device: str) -> CosyVoiceSynthesizer:
    load_torch()
    from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer

    found = problem(folder)
    if found:
        raise UserError(found[0], **found[1])
    return CosyVoiceSynthesizer.load(folder, device, revision(folder), graphs)


def _check_text(text: str) -> None:
    from webui.engines.cosyvoice.tokenizer import spell

    spell(text)
