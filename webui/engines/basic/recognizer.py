"""English recognition by pocketsphinx with the model in its wheel: about a third of the words come out wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import soxr

from webui.audio.samples import to_int16
from webui.engines.base import EngineError, Recognition, RecognitionOptions, Recognizer, Waveform, Word
from webui.engines.basic.pocketsphinx import Pocketsphinx
from webui.text.languages import primary

RATE = 16_000  # Hz
_FRAMES_PER_SECOND = 100
_LEAST_SAMPLES = RATE // 20  # shorter than any word
_LEAST_LEVEL = 0.003  # -50 dB; in silence the decoder finds words that nobody said
_VARIANT = re.compile(r"\(\d+\)$")  # "the(2)": the second pronunciation of a word


class BasicRecognizer(Recognizer):
    """Threads may share one; they take turns."""

    def __init__(self) -> None:
        self._pocketsphinx = Pocketsphinx()

    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        """One result per waveform, in order, in small letters without punctuation.

        Raises EngineError: MODEL_NEEDED for a language other than English.
        """
        if options.language != "auto" and primary(options.language) != "en":
            raise EngineError("MODEL_NEEDED", options.language)
        return [self._recognized(waveform) for waveform in batch]

    def close(self) -> None:
        self._pocketsphinx.close()

    def _recognized(self, waveform: Waveform) -> Recognition:
        samples = waveform.samples if waveform.rate == RATE else soxr.resample(waveform.samples, waveform.rate, RATE)
        if len(samples) < _LEAST_SAMPLES or np.abs(samples).max() < _LEAST_LEVEL:
            return Recognition("", "", "en")
        words = tuple(self._decoded(samples))
        text = " ".join(word.text for word in words)
        sure = [word.confidence for word in words if word.confidence is not None]
        return Recognition(text, text, "en", words, confidence=float(np.mean(sure)) if sure else None)

    def _decoded(self, samples: np.ndarray[Any, Any]) -> Iterator[Word]:
        pcm = to_int16(samples).tobytes()
        for found in self._pocketsphinx.words(pcm):
            if found.word[0] not in "<[+":  # silence and noises
                yield Word(
                    _VARIANT.sub("", found.word),
                    found.start_frame / _FRAMES_PER_SECOND,
                    min((found.end_frame + 1) / _FRAMES_PER_SECOND, len(samples) / RATE),
                    min(1.0, found.probability),
                )
