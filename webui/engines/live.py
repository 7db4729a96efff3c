"""Live recognition: a streaming model's own sessions, or for any other model its text a spoken segment at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from webui.audio.vad import RATE, Span
from webui.engines.base import (
    DetectorSession,
    LiveSession,
    RecognitionOptions,
    Recognizer,
    SpeechDetector,
    StreamingRecognizer,
    Waveform,
)

KEPT_SECONDS = 30.0  # of sound that no finished segment covers yet; segments are shorter


def listen(recognizer: Recognizer, detector: SpeechDetector, options: RecognitionOptions) -> LiveSession:
    """A session with `recognizer`; `detector` cuts what a model without streaming hears.

    Raises UserError where the detector's model cannot be had.
    """
    if isinstance(recognizer, StreamingRecognizer):
        return recognizer.open(options)
    return SegmentListener(recognizer, detector.session(), options)


class SegmentListener:
    """Text grows whenever somebody pauses. Memory is bounded: what a segment covered is let go."""

    def __init__(self, recognizer: Recognizer, detection: DetectorSession, options: RecognitionOptions) -> None:
        self._recognizer = recognizer
        self._detection = detection
        self._options = options
        self._sound = np.zeros(0, np.float32)
        self._heard = 0  # samples since the start
        self._text = ""

    def feed(self, samples: NDArray[np.float32]) -> str:
        """As LiveSession.feed. Raises EngineError."""
        self._sound = np.concatenate((self._sound, samples))
        self._heard += len(samples)
        self._recognize(self._detection.feed(samples))
        self._sound = self._sound[-round(KEPT_SECONDS * RATE) :]
        return self._text

    def finish(self) -> str:
        """As LiveSession.finish. Raises EngineError."""
        self._recognize(self._detection.finish())
        return self._text

    def _recognize(self, spans: list[Span]) -> None:
        for span in spans:
            found = self._recognizer.recognize([Waveform(self._piece(span), RATE)], self._options)[0]
            space = " " if self._text[-1:].isascii() and found.text[:1].isascii() and self._text else ""
            self._text += f"{space}{found.text}" if found.text else ""

    def _piece(self, span: Span) -> NDArray[np.float32]:
        first = self._heard - len(self._sound)
        return self._sound[max(0, round(span.start * RATE) - first) : max(0, round(span.end * RATE) - first)]
