"""Whether int8 quantisation serves a model on this machine's CPU: tried once on its own weights, and remembered.

Language model and flow are judged each on its own. Nothing is exported: the matrices are quantised when the model is
loaded. The report lies in the data folder, being about this machine, and names the weights it was made with.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from webui.engines.base import OptimisationReport, SpeechOptions, Waveform
from webui.engines.cosyvoice.folder import revision
from webui.engines.report import Report

if TYPE_CHECKING:
    import torch

    from webui.settings import Settings

log = logging.getLogger(__name__)

PARTS = ("llm", "flow")
_MOST_ERROR = 0.05
_LEAST_GAIN = 1.1  # times as fast as in floating point
_TRANSCRIPT = "昨天晚上十点赵敏在三号窗口开会，七月二十三日可以打印身份证吗？"  # spoken by the builtin voice
_TEXT = "收到您的来信，我们会在三天之内答复。"
_MOST_TOKENS = 100  # four seconds


@dataclass(frozen=True)
class Int8Report(Report):
    """`use`: the parts that the CPU computes in int8; `plain`: what it computes the others in.

    `errors`, of int8: of the language model, how far the distributions of the next token are apart (total
    variation, on average: the share of draws that come out otherwise); of the flow, the relative L2 of the mel about
    its mean in each band. `gains`: how many times as fast it was.
    """

    use: Sequence[str]
    plain: str
    errors: dict[str, float]
    gains: dict[str, float]

    def shown(self) -> OptimisationReport:
        """What `engines.base.Model.optimised` holds."""
        errors = {f"{part} int8": error for part, error in self.errors.items()}
        return {
            "use": " + ".join(["int8"] * bool(self.use) + [self.plain] * (tuple(self.use) != PARTS)),
            "errors": errors,
        }


def find(folder: Path, settings: Settings) -> Int8Report | None:
    """The report on `folder`, where there is one and it was made with these weights; without torch."""
    return Int8Report.read(_file(folder, settings), revision(folder))


def optimise(folder: Path, settings: Settings) -> Int8Report:
    """Speak a sentence in floating point and in int8, and keep what comes of it: some minutes.

    Raises UserError MODEL_BROKEN.
    """
    import torch

    from webui.engines.cosyvoice import precision

    plain = precision.best(torch.device("cpu"))
    prompt = _prompt(settings)
    exact = _try(folder, plain, prompt)
    rounded = _try(folder, torch.int8, prompt, exact.tokens)
    errors = {
        "llm": _variation(rounded.logits, exact.logits),
        "flow": _relative(rounded.mel, exact.mel),
    }
    gains = {part: exact.seconds[part] / rounded.seconds[part] for part in PARTS}
    report = Int8Report(revision(folder), worth(errors, gains), str(plain).removeprefix("torch."), errors, gains)
    log.info("int8 quantisation of %s on the CPU: %s", folder.name, report)
    file = _file(folder, settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    report.write(file)
    return report


def worth(errors: dict[str, float], gains: dict[str, float]) -> tuple[str, ...]:
    """The parts for which int8 is near enough and faster."""
    return tuple(part for part in PARTS if errors[part] <= _MOST_ERROR and gains[part] >= _LEAST_GAIN)


def _file(folder: Path, settings: Settings) -> Path:
    return settings.cache / "optimised" / folder.name / "int8.json"


@dataclass(frozen=True)
class _Trial:
    """Tokens spoken; logits (tokens, vocabulary) before each; mel (1, 80, frames); CPU seconds of each part."""

    tokens: list[int]
    logits: torch.Tensor
    mel: torch.Tensor
    seconds: dict[str, float]


def _try(folder: Path, dtype: torch.dtype, prompt: Waveform, tokens: list[int] | None = None) -> _Trial:
    """`tokens` as another precision drew them; else drawn here."""
    from webui.engines.cosyvoice.runtime import Runtime, Trace

    runtime = Runtime.load(folder, "cpu", dtype)
    voice = runtime.encoder.features(prompt.samples, prompt.rate).aligned()
    request = runtime.request(_TEXT, _TRANSCRIPT, "zero_shot", "")
    heard, reserved = voice.tokens.tolist(), len(voice.tokens)
    if tokens is None:
        tokens = list(runtime.speech_tokens(request, heard, reserved))[:_MOST_TOKENS]
    trace: Trace = {}
    start = process_time()
    spoken = list(runtime.speech_tokens(request, heard, reserved, forced=tokens, trace=trace))
    between = process_time()
    list(runtime.speak(iter(spoken), voice, trace=trace))
    seconds = {"llm": between - start, "flow": process_time() - between}
    return _Trial(tokens, trace["logits"], trace["mel"], seconds)


def _prompt(settings: Settings) -> Waveform:
    """The transcript in the voice that is always there."""
    from webui.engines import basic

    voice = basic.loaded_voice(settings)
    try:
        return next(iter(voice.speak(_TRANSCRIPT, None, SpeechOptions(language="zh"))))
    finally:
        voice.close()


def _variation(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.softmax(-1) - wanted.softmax(-1)).abs().sum(-1).mean() / 2)


def _relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / (wanted - wanted.mean(-1, keepdim=True)).norm())
