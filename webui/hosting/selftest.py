"""The self-test: sentences spoken by the `builtin` voice, found, recognised and compared, on one device after another.

It runs the true path of Fun-ASR on a fresh machine without network: whether an accelerator, its driver and this
installation are sound shows in the error rate.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr

from webui import devices
from webui.audio.vad import RATE, SpeechDetector
from webui.engines import basic, funasr
from webui.engines.base import RecognitionOptions, RecognizerModel, Samples, SpeechOptions, Waveform
from webui.errors import UserError
from webui.settings import ROOT, Settings

log = logging.getLogger(__name__)

MODEL = "selftest-zh"
MOST_ERRORS = 0.05  # of the characters
SENTENCES = (  # as they are spoken; none of them is in what the model was trained on
    "昨天晚上十点赵敏在三号窗口开会",
    "七月二十三日可以打印身份证吗",
    "请转账六千六百七十八元给王芳",
    "赵敏和刘洋明天下午去地铁站预约课程表",
    "燃气费上涨了百分之四十二",
    "我的工单号码是八零七八六",
    "郑强同学下周到图书馆",
    "马超和周杰本周去三号窗口申请户口",
)
_GAP_SECONDS = 1.0  # of silence between two sentences


@dataclass(frozen=True)
class Outcome:
    """`cer`: character error rate; `rtf`: seconds of computing per second of speech; both None where it failed.

    `problem`: the error that stopped it.
    """

    device: str
    cer: float | None = None
    rtf: float | None = None
    problem: Exception | None = None

    @property
    def ok(self) -> bool:
        return self.cer is not None and self.cer <= MOST_ERRORS


def run(settings: Settings, only: str = "auto") -> Iterator[Outcome]:
    """The outcome of every usable device, or of the one named. Raises UserError where there is no model or voice."""
    model = _model(settings)
    found = [device.id for device in devices.probe() if device.usable]
    wanted = found if only == "auto" else [devices.resolve(only).device]
    segments = _find(_speak(settings))
    for device in wanted:
        try:
            yield _try(model, device, segments)
        except Exception as error:  # whatever a driver throws: it is this device's outcome
            log.info("the self-test failed on %s", device, exc_info=error)
            yield Outcome(device, problem=error)


def _model(settings: Settings) -> RecognizerModel:
    bundled = settings.model_copy(update={"models": ROOT / "models", "model_path": None})
    recognizers = (model for model in funasr.models(bundled) if isinstance(model, RecognizerModel))
    model = next((model for model in recognizers if model.name == MODEL), None)
    if model is None:
        raise UserError("MODEL_NOT_FOUND", model=MODEL, available="")
    if model.problem is not None:
        raise model.problem.as_error()
    return model


def _speak(settings: Settings) -> Samples:
    """All sentences with silence between them, 16 kHz."""
    voice = basic.loaded_voice(settings)
    gap = np.zeros(round(_GAP_SECONDS * RATE), np.float32)
    parts = [gap]
    try:
        for sentence in SENTENCES:
            for piece in voice.speak(sentence, None, SpeechOptions(language="zh")):
                parts.append(soxr.resample(piece.samples, piece.rate, RATE))
            parts.append(gap)
    finally:
        voice.close()
    return np.concatenate(parts).astype(np.float32)


def _find(samples: Samples) -> list[Waveform]:
    session = SpeechDetector().session()
    spans = session.feed(samples) + session.finish()
    return [Waveform(samples[round(span.start * RATE) : round(span.end * RATE)], RATE) for span in spans]


def _try(model: RecognizerModel, device: str, segments: list[Waveform]) -> Outcome:
    recognizer = model.load(device)
    options = RecognitionOptions("zh", itn=False)
    try:
        recognizer.recognize(segments[:1], options)  # an accelerator prepares its kernels in the first call
        began = time.perf_counter()
        heard = "".join(found.text for found in recognizer.recognize(segments, options))
        seconds = time.perf_counter() - began
    finally:
        recognizer.close()
    spoken = "".join(SENTENCES)
    rtf = seconds / sum(segment.seconds for segment in segments)
    return Outcome(device, distance(heard, spoken) / len(spoken), rtf)


def distance(heard: str, spoken: str) -> int:
    """Characters to insert, remove or replace to make one of the other (Levenshtein)."""
    row = list(range(len(spoken) + 1))
    for index, character in enumerate(heard, 1):
        before, row[0] = row[0], index
        for at, wanted in enumerate(spoken, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (character != wanted))
    return row[-1]
