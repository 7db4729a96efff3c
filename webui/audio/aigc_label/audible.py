"""The audible label: short-long short-short (Morse A I) as a sine, and finding it again in decoded audio."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from webui.audio.samples import Samples
from webui.audio.units import Hertz

TONE_HZ = 880.0
UNIT_SECONDS = 0.12
PATTERN = "10111000101"  # units: A = short long, three units of pause, I = short short
AUDIBLE_SECONDS = len(PATTERN) * UNIT_SECONDS  # 1.32
FADE_SECONDS = 0.008
DEFAULT_LEVEL = 0.2  # RMS, full scale = 1: -14 dBFS
LEAST_LEVEL, MOST_LEVEL = 0.05, 0.35

_STEP_SECONDS = 0.01  # of the search
_WINDOW_SECONDS = 0.03
_LEAST_TONE = 0.6  # share of the power at TONE_HZ that makes a step a tone
_LEAST_RMS = 0.01


def audible_label(rate: Hertz, level: float | None = None) -> Samples:
    """The label at `rate` Hz, 1.32 s. `level`: RMS of the speech that it goes with (None: a usual one)."""
    rms = DEFAULT_LEVEL if level is None else min(max(level, LEAST_LEVEL), MOST_LEVEL)
    time = np.arange(round(AUDIBLE_SECONDS * rate)) / rate
    tone = np.sin(2 * np.pi * TONE_HZ * time) * _envelope(time) * rms * np.sqrt(2)
    return tone.astype(np.float32)


def _envelope(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 during a tone, with raised-cosine edges."""
    envelope = np.zeros_like(time)
    for start, end in _tones():
        edge = np.minimum(time - start, end - time) / FADE_SECONDS
        envelope += 0.5 - 0.5 * np.cos(np.pi * np.clip(edge, 0, 1))
    return envelope


def _tones() -> list[tuple[float, float]]:
    """Start and end of each tone, in seconds."""
    tones = []
    at = 0
    for unit, run in itertools.groupby(PATTERN):
        length = len(list(run))
        if unit == "1":
            tones.append((at * UNIT_SECONDS, (at + length) * UNIT_SECONDS))
        at += length
    return tones


def audible_score(samples: Samples, rate: Hertz) -> float:
    """How well the label is found anywhere in `samples`: 1 = every step as it should be, about 0 = not there."""
    template = np.repeat([1 if unit == "1" else -1 for unit in PATTERN], round(UNIT_SECONDS / _STEP_SECONDS))
    steps = _tone_steps(samples, rate)
    if len(steps) < len(template):
        steps = np.pad(steps, (0, len(template) - len(steps)), constant_values=-1)
    return float(np.max(np.correlate(steps, template, "valid"))) / len(template)


def _tone_steps(samples: Samples, rate: Hertz) -> NDArray[np.float64]:
    """+1 for each 10 ms that is the tone, -1 for each that is not."""
    window = np.full(round(_WINDOW_SECONDS * rate), 1 / round(_WINDOW_SECONDS * rate))
    if len(samples) < len(window):
        return np.zeros(0)
    carrier = np.exp(-2j * np.pi * TONE_HZ * np.arange(len(samples)) / rate)
    at_tone = 2 * np.abs(np.convolve(samples * carrier, window, "same")) ** 2
    power = np.convolve(samples.astype(np.float64) ** 2, window, "same")
    is_tone = (at_tone > _LEAST_TONE * power) & (power > _LEAST_RMS**2)
    picked = (np.arange(round(len(samples) / rate / _STEP_SECONDS)) * _STEP_SECONDS * rate).astype(int)
    return np.where(is_tone[picked], 1.0, -1.0)
