"""CosyVoice3 on any torch device: our own runtime for the official Fun-CosyVoice3-0.5B weights.

Importing this package imports no torch; `load` and `Model.load` do.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.devices import load_torch
from webui.engines.base import AnyModel, SynthesizerModel
from webui.engines.cosyvoice import optimising
from webui.engines.cosyvoice.folder import CAPABILITIES, files, find_problem, is_cosyvoice, revision
from webui.engines.model_folders import folders, models_in_folders
from webui.engines.subprocesses import optimise_in_subprocess
from webui.errors import UserError

if TYPE_CHECKING:
    from webui.engines.cosyvoice.reference_api import ReferenceRuntime
    from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer
    from webui.settings import Settings

__all__ = ["load", "models"]


def load(folder: Path | str, device: str = "cpu", dtype: Any = "float32") -> ReferenceRuntime:
    """The runtime of the model in `folder` on a torch device ("cpu", "npu:0", "cuda" …).

    `dtype`: of the language model and the flow, "float32", "bfloat16", "float16", or on a CPU
    "int8" (or a torch.dtype); the vocoder is always float32. Raises UserError MODEL_BROKEN naming file and key.
    """
    load_torch()
    from webui.engines.cosyvoice.reference_api import ReferenceRuntime

    return ReferenceRuntime.load(Path(folder), device, dtype)


def models(settings: Settings) -> list[AnyModel]:
    """The CosyVoice models in `models/` and at `model_path`, the broken ones with their problem; without torch."""

    def open_folder(folder: Path) -> AnyModel | None:
        return _model(folder, settings) if is_cosyvoice(folder) else None

    return models_in_folders(settings, "cosyvoice", open_folder, ("torch",))


def optimise(name: str, settings: Settings) -> None:
    """Find out whether the model `name` may be quantised to int8 on this CPU; some minutes. Raises UserError."""
    present = {folder.name: folder for folder in folders(settings)}
    if name not in present or not is_cosyvoice(present[name]):
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(present))
    _check(present[name])
    load_torch()
    optimising.optimise(present[name], settings)


def _model(folder: Path, settings: Settings) -> SynthesizerModel:
    found = find_problem(folder)
    report = None if found else optimising.find(folder, settings)
    return SynthesizerModel(
        name=folder.name,
        engine="cosyvoice",
        revision=revision(folder),
        capabilities=CAPABILITIES,
        load=partial(_load, folder, settings),
        device_kinds=("any",),
        default_rank=30,
        size_bytes=sum(path.stat().st_size for path in files(folder)),
        problem=found,
        check_text=_check_text,
        optimise=partial(optimise_in_subprocess, optimise, folder.name, settings),
        optimised=report.shown() if report else None,
    )


def _load(folder: Path, settings: Settings, device: str) -> CosyVoiceSynthesizer:
    load_torch()
    from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer

    _check(folder)
    report = optimising.find(folder, settings) if device == "cpu" else None
    int8_parts = report.use if report else ()
    return CosyVoiceSynthesizer.load(folder, device, revision(folder), settings.device_graphs, int8_parts)


def _check(folder: Path) -> None:
    found = find_problem(folder)
    if found:
        raise found.as_error()


def _check_text(text: str) -> None:
    from webui.engines.cosyvoice.tokenizer import spell

    spell(text)
