"""Where somebody speaks: Silero VAD over blocks of 16 kHz audio, at constant memory.

The `silero_vad` package is never imported: doing so loads torch and sets its thread count to one for the
whole process. Its sequence model (many frames a call, exact to the streaming one) runs here on onnxruntime.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from webui.audio.samples import to_float32
from webui.audio.units import Seconds
from webui.onnx_session import OnnxSession

RATE = 16_000  # Hz
FRAME = 512  # samples that one probability covers: 32 ms
CONTEXT = 64  # samples of the frame before that the model sees as well
MOST_FRAMES = 512  # per call, which bounds the memory
SMOOTHING = 5  # frames over which a place to cut is judged


@dataclass(frozen=True)
class Span:
    """A stretch of speech, seconds from the start of the recording."""

    start: Seconds
    end: Seconds


@dataclass(frozen=True)
class SpeechOptions:
    """Probabilities from 0 to 1, times in seconds."""

    threshold: float = 0.5  # speech begins at this probability
    release: float = 0.35  # and pauses below this one
    min_speech: Seconds = 0.25  # shorter bursts are dropped
    min_silence: Seconds = 0.5  # a pause this long ends a segment
    padding: Seconds = 0.1  # kept before and after
    max_segment: Seconds = 20.0  # longer speech is cut where it is least likely to be speech

    def __post_init__(self) -> None:
        if not 0 <= self.release <= self.threshold <= 1:
            raise ValueError("0 <= release <= threshold <= 1 does not hold")
        if self.min_silence < 2 * self.padding or self.max_segment < 1 + 2 * self.padding:
            raise ValueError("min_silence or max_segment is too short for the padding")


class SpeechDetector:
    """Holds the model; its sessions are independent and may run in several threads at once."""

    def __init__(self, options: SpeechOptions | None = None) -> None:
        self.options = options or SpeechOptions()

    @cached_property
    def _model(self) -> OnnxSession:
        return OnnxSession(model_file(), threads=1)

    def session(self) -> VadSession:
        """A new recording."""
        return VadSession(SpeechProbabilities(self._model), self.options)

    def close(self) -> None:
        """Let the model go; it is read again where it is needed again."""
        self.__dict__.pop("_model", None)


class SpeechProbabilities:
    """The model's state along one recording: samples in, one probability per 512 samples out."""

    def __init__(self, model: OnnxSession) -> None:
        self._model = model
        self._hidden = self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of the frames that `samples` (float32, mono, 16 kHz) complete."""
        samples = np.concatenate((self._rest, samples))
        whole = len(samples) // FRAME
        self._rest = samples[whole * FRAME :]
        frames = samples[: whole * FRAME].reshape(-1, FRAME)
        runs = [self._run(frames[at : at + MOST_FRAMES]) for at in range(0, whole, MOST_FRAMES)]
        return np.concatenate(runs) if runs else np.zeros(0, np.float32)

    def finish(self) -> NDArray[np.float32]:
        """The probability of the last, incomplete frame, filled up with silence."""
        missing = -len(self._rest) % FRAME
        return self.feed(np.zeros(missing, np.float32))

    def _run(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        contexts = np.concatenate((self._context[None], frames[:-1, -CONTEXT:]))
        self._context = frames[-1, -CONTEXT:].copy()
        inputs = {"input": np.concatenate((contexts, frames), axis=1), "h": self._hidden, "c": self._cell}
        found = self._model.run(inputs, ("speech_probs", "hn", "cn"))
        self._hidden, self._cell = found["hn"], found["cn"]
        return found["speech_probs"].reshape(-1)


class VadSession:
    """One recording: feed it blocks, get the spans that are complete."""

    def __init__(self, probabilities: SpeechProbabilities, options: SpeechOptions) -> None:
        self._probabilities = probabilities
        self._splitter = SpeechSplitter(options)
        self._samples = 0

    def feed(self, block: NDArray[np.int16] | NDArray[np.float32]) -> list[Span]:
        """`block`: 16 kHz mono, int16 or float32, shape (n,) or (n, 1), of any length."""
        samples = to_float32(block.reshape(-1))
        self._samples += len(samples)
        return self._splitter.feed(self._probabilities.feed(samples))

    def finish(self) -> list[Span]:
        """The spans still open at the end of the recording."""
        return self._splitter.feed(self._probabilities.finish()) + self._splitter.finish(self._samples / RATE)


class SpeechSplitter:
    """Probabilities → spans: hysteresis, shortest speech and pause, padding, longest segment."""

    def __init__(self, options: SpeechOptions) -> None:
        self.options = options
        self._min_speech = options.min_speech * RATE / FRAME
        self._min_silence = options.min_silence * RATE / FRAME
        self._most = int((options.max_segment - 2 * options.padding) * RATE / FRAME)
        self._frame = 0
        self._close()

    def feed(self, probabilities: NDArray[np.float32]) -> list[Span]:
        spans: list[Span] = []
        for probability in probabilities.tolist():
            self._step(probability, spans)
            self._frame += 1
        return spans

    def finish(self, seconds: Seconds) -> list[Span]:
        """`seconds`: the length of the recording, which no span exceeds."""
        if self._start is None or not self._is_long_enough(self._frame):
            return []
        end = self._frame if self._pause is None else self._pause
        span = self._span(end, self.options.padding)
        return [Span(span.start, min(span.end, seconds))]

    def _close(self) -> None:
        self._start: int | None = None  # frame where the open segment began
        self._pause: int | None = None  # frame where its current pause began
        self._heard = False  # speech since the start (after a cut there may be none)
        self._continues = False  # the segment goes on from one that was cut
        self._since: list[float] = []  # probabilities since the start

    def _step(self, probability: float, spans: list[Span]) -> None:
        if probability >= self.options.threshold:
            self._pause = None
            self._heard = True
            if self._start is None:
                self._start = self._frame
        if self._start is None:
            return
        self._since.append(probability)
        if probability < self.options.release and self._pause is None:
            self._pause = self._frame
        if self._pause is not None and self._frame - self._pause >= self._min_silence:
            if self._is_long_enough(self._pause):
                spans.append(self._span(self._pause, self.options.padding))
            self._close()
        elif len(self._since) >= self._most:
            spans.append(self._cut())

    def _is_long_enough(self, end: int) -> bool:
        assert self._start is not None
        return self._heard and (self._continues or end - self._start >= self._min_speech)

    def _span(self, end: int, padding: Seconds) -> Span:
        assert self._start is not None
        start = self._start * FRAME / RATE - (0 if self._continues else self.options.padding)
        return Span(max(0.0, start), end * FRAME / RATE + padding)

    def _cut(self) -> Span:
        """End the segment at the least speech-like place of its second half; the next begins there."""
        assert self._start is not None
        smooth = np.convolve(self._since, np.full(SMOOTHING, 1 / SMOOTHING), "same")
        first = len(smooth) // 2
        at = first + int(np.argmin(smooth[first : len(smooth) - SMOOTHING]))
        span = self._span(self._start + at, 0)
        self._start += at
        self._since = self._since[at:]
        self._heard = max(self._since) >= self.options.threshold
        self._continues = True
        if self._pause is not None:
            self._pause = max(self._pause, self._start)
        return span


def model_file() -> Path:
    """The sequence model inside the silero-vad wheel, found without importing the package.

    Raises FileNotFoundError.
    """
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package silero-vad is not installed")
    return Path(spec.origin).parent / "data" / "silero_vad_16k_sequence.onnx"
