"""Generated speech that a voice detector takes for speech: espeak-ng says a sentence."""

from __future__ import annotations

from functools import cache

import numpy as np

from webui.audio.resampling import Samples, resample
from webui.engines.basic.espeak import Espeak

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it runs away from the hunters who are chasing it."


@cache
def sentence(rate: int, text: str = SENTENCE) -> Samples:
    """`text` (six seconds by default) at `rate` Hz, without silence around it, peak 0.5."""
    espeak = Espeak()
    spoken = espeak.speak(text, "en-us", 165)
    espeak.close()
    samples = resample(spoken.samples, spoken.rate, rate)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1]]
    return samples * np.float32(0.5 / np.abs(samples).max())


def speech(seconds: float, rate: int, start: float = 0.0) -> Samples:
    """So much of the sentence, over and over, beginning at `start` seconds of it."""
    whole = sentence(rate)
    return np.resize(np.roll(whole, -round(start * rate)), round(seconds * rate))
