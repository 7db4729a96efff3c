"""From a folder to a recognizer: which code drives it, and whether the exported encoder is used."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from webui.engines.funasr.folder import Folder
from webui.engines.funasr.loading import build
from webui.engines.funasr.onnx import export
from webui.engines.funasr.onnx.export import PRECISIONS, Optimised, Precision
from webui.engines.funasr.onnx.graphs import REPLACED
from webui.engines.funasr.recognizer import FunasrRecognizer

if TYPE_CHECKING:
    from webui.settings import Settings

log = logging.getLogger(__name__)


def open_recognizer(
    folder: Folder, device: str, settings: Settings, precision: Precision | Literal["torch"] | None = None
) -> FunasrRecognizer:
    """The recognizer of `folder`, ready on `device`. Raises UserError (MODEL_BROKEN).

    `precision`: of the exported graphs on a CPU; None = what their report recommends, "torch" = without them.
    """
    kind = folder.family.kind
    optimised = export.find(folder, settings) if device == "cpu" and precision != "torch" else None
    if optimised is not None and precision in PRECISIONS:
        optimised = replace(optimised, report=replace(optimised.report, use=precision))
    if kind == "sensevoice":
        return _sense_voice(folder, device, optimised)
    if kind in ("paraformer", "contextual"):
        return _paraformer(folder, device, optimised)
    if kind == "nano":
        return _nano(folder, device)
    if kind == "streaming":
        from webui.engines.funasr.streaming import Streaming

        return Streaming(build(folder, device), folder.family.capabilities)
    from webui.engines.funasr.generic import Generic

    return Generic(build(folder, device), folder.family.capabilities)


def _sense_voice(folder: Folder, device: str, optimised: Optimised | None) -> FunasrRecognizer:
    from webui.engines.funasr.onnx.replace import OnnxEncoder
    from webui.engines.funasr.sensevoice import SenseVoice

    if optimised is None:
        return SenseVoice(build(folder, device), folder.family.capabilities)
    built = build(folder, device, without=REPLACED["sensevoice"])
    return SenseVoice(built, folder.family.capabilities, OnnxEncoder(optimised, built))


def _paraformer(folder: Folder, device: str, optimised: Optimised | None) -> FunasrRecognizer:
    from webui.engines.funasr.onnx.replace import take_over_paraformer
    from webui.engines.funasr.paraformer import Paraformer

    built = build(folder, device, without=REPLACED["paraformer"] if optimised else ())
    if optimised is not None:
        take_over_paraformer(built, optimised)
    return Paraformer(built, folder.family.capabilities)


def _nano(folder: Folder, device: str) -> FunasrRecognizer:
    from webui.engines.funasr.nano import Nano

    try:
        built = build(folder, device)
    except ImportError as error:  # the CTC head's tokenizer may need a package that nothing else does
        log.warning("%s: no word times: %s", folder.name, error)
        config = {key: value for key, value in folder.config.items() if key != "ctc_decoder"}
        built = build(replace(folder, config=config), device)
    built.model.llm.tie_weights()
    with_times = built.model.ctc_decoder is not None and not built.lacking
    return Nano(built, replace(folder.family.capabilities, word_times=with_times))
