"""Exporting a model's heavy parts to ONNX once, in fp32 and int8, with a report on how well they agree.

The files lie in `optimised/` beside the weights, or under `data/cache/` where `models/` cannot be written. The report
names the weights it was made from: exchanged weights make it void.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from webui.devices import load_torch
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.import_guard import import_guarded
from webui.engines.funasr.loading import build
from webui.engines.funasr.onnx.agreement import relative_error
from webui.engines.funasr.onnx.graphs import REPLACED, Graph, graphs
from webui.engines.report import Report
from webui.errors import Notice, UserError
from webui.onnx_session import OnnxSession, load_onnxruntime

if TYPE_CHECKING:
    from webui.settings import Settings

log = logging.getLogger(__name__)

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
_DIRECTORY = "optimised"
_REPORT = "report.json"
_MOST_INT8_ERROR = 0.05  # relative; published int8 models have 2 to 4 %
_CHECKED_FRAMES = (40, 170)  # another length than the traced one, and a long one


@dataclass(frozen=True)
class ExportReport(Report):
    """`errors`: graph and precision → relative L2 error of the hidden states; `use`: what the CPU computes with."""

    use: Precision
    errors: dict[str, float]


@dataclass(frozen=True)
class Optimised:
    """Exported graphs that fit the weights."""

    directory: Path
    report: ExportReport

    def file(self, graph: str) -> Path:
        return self.directory / f"{graph}.{self.report.use}.onnx"


def optimisable(folder: Folder) -> bool:
    return folder.family.kind in REPLACED


def find(folder: Folder, settings: Settings) -> Optimised | None:
    """The exported graphs of `folder`, where there are some and they were made from these weights."""
    for directory in _places(folder, settings):
        if report := ExportReport.read(directory / _REPORT, folder.revision):
            return Optimised(directory, report)
    return None


def optimise(folder: Folder, settings: Settings, use: Precision | None = None) -> Optimised:
    """Export `folder` and say how well the exports agree; `use` None = int8 where it is close enough, else fp32.

    Takes a minute or two and twice the weights in memory. Raises UserError (MODEL_BROKEN, NOT_CAPABLE).
    """
    if not optimisable(folder):
        raise UserError("NOT_CAPABLE", param="model", model=folder.name, feature=Notice("FEATURE_OPTIMISE"))
    built = build(folder, "cpu")
    target = _writable(folder, settings)
    with tempfile.TemporaryDirectory(prefix=".optimising-", dir=target.parent) as temporary:
        directory = Path(temporary) / _DIRECTORY
        directory.mkdir()
        errors: dict[str, float] = {}
        for graph in graphs(folder.family.kind, built):
            _export(graph, directory)
            errors |= {f"{graph.name} {precision}": _error(graph, directory, precision) for precision in PRECISIONS}
        worst = max(error for name, error in errors.items() if name.endswith("int8"))
        report = ExportReport(folder.revision, use or ("int8" if worst <= _MOST_INT8_ERROR else "fp32"), errors)
        report.write(directory / _REPORT)
        shutil.rmtree(target, ignore_errors=True)
        directory.rename(target)
    log.info("optimised %s: %s", folder.name, errors)
    return Optimised(target, report)


def _places(folder: Folder, settings: Settings) -> tuple[Path, Path]:
    return folder.path / _DIRECTORY, settings.cache / _DIRECTORY / folder.name


def _writable(folder: Folder, settings: Settings) -> Path:
    beside, cached = _places(folder, settings)
    if os.access(folder.path, os.W_OK):
        return beside
    cached.parent.mkdir(parents=True, exist_ok=True)
    return cached


def _export(graph: Graph, directory: Path) -> None:
    """Write `<graph>.fp32.onnx` with its weights beside it, to be mapped and not read, and its int8 quantisation."""
    import onnx

    load_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    torch = load_torch()
    traced = directory / f"{graph.name}.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own future, and constants that are meant
        torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            str(traced),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={name: dict(axes) for name, axes in graph.dynamic.items()},
            opset_version=17,
            dynamo=False,
        )
    with import_guarded(torch):
        logging.getLogger().setLevel(logging.ERROR)  # its advice to prepare the graph in another way
        quantize_dynamic(
            str(traced),
            str(directory / f"{graph.name}.int8.onnx"),
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    model = onnx.load(str(traced))
    onnx.save(
        model,
        str(directory / f"{graph.name}.fp32.onnx"),
        save_as_external_data=True,
        location=f"{graph.name}.fp32.data",
    )
    traced.unlink()


def _error(graph: Graph, directory: Path, precision: Precision) -> float:
    """The worst relative L2 error of the last output against torch, for lengths that were not traced."""
    torch = load_torch()
    session = OnnxSession(directory / f"{graph.name}.{precision}.onnx", torch.get_num_threads())
    generator = torch.Generator().manual_seed(5)
    worst, last = 0.0, graph.outputs[-1]
    for frames in _CHECKED_FRAMES:
        inputs = [torch.randn(1, frames, example.shape[2], generator=generator) for example in graph.inputs.values()]
        with torch.no_grad():
            expected = graph.module(*inputs)
        wanted = (expected[-1] if isinstance(expected, tuple) else expected).numpy()
        given = {name: value.numpy() for name, value in zip(graph.inputs, inputs, strict=True)}
        worst = max(worst, relative_error(session.run(given, (last,))[last], wanted))
    return worst
