"""Generated sound: a tone, a hum with a voice's spectrum, and what espeak-ng says, which a voice detector hears."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.signal import lfilter

from webui.audio.resampling import resample
from webui.audio.samples import Samples
from webui.engines.basic.espeak import Espeak

VOWEL_RATE = 24_000  # Hz
SENTENCE = "The quick brown fox jumps over the lazy dog, and then it runs away from the hunters who are chasing it."


def tone(seconds: float, rate: int, hertz: float = 440) -> Samples:
    """A sine, peak 0.5."""
    return np.float32(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate))


def hum(seconds: float, rate: int, pitch: float = 120, level: float = 0.2) -> Samples:
    """The harmonics of `pitch` Hz, swelling four times a second, peak `level`."""
    times = np.arange(int(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * pitch * k * times + k) / k for k in range(1, 20))
    voice *= 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)
    return np.float32(level * voice / np.abs(voice).max())


@cache
def sentence(rate: int, text: str = SENTENCE, voice: str = "en-us") -> Samples:
    """`text` (six seconds by default) at `rate` Hz, without silence around it, peak 0.5; "en-us+f2" is a woman."""
    espeak = Espeak()
    spoken = espeak.speak(text, voice, 165)
    espeak.close()
    samples = resample(spoken.samples, spoken.rate, rate)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[loud[0] : loud[-1]]
    return samples * np.float32(0.5 / np.abs(samples).max())


def speech(seconds: float, rate: int, start: float = 0.0) -> Samples:
    """So much of the sentence, over and over, beginning at `start` seconds of it."""
    whole = sentence(rate)
    return np.resize(np.roll(whole, -round(start * rate)), round(seconds * rate))


def vowel(pitch: float, seconds: float = 1.0) -> np.ndarray:
    """A pulse train through two formants at 700 and 1200 Hz, at 24 kHz."""
    pulses = np.zeros(int(seconds * VOWEL_RATE))
    pulses[np.arange(0, len(pulses), VOWEL_RATE / pitch).astype(int)] = 1
    for formant, width in ((700, 90), (1200, 120)):
        radius = np.exp(-np.pi * width / VOWEL_RATE)
        pulses = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / VOWEL_RATE), radius**2], pulses)
    return 0.3 * pulses / np.abs(pulses).max()


def noise(seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    """White, at 24 kHz."""
    return level * np.random.default_rng(3).standard_normal(int(seconds * VOWEL_RATE))
