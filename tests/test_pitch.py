"""The pitch of signals whose pitch is known, at several rates."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech_kit import VOWEL_RATE, noise, vowel
from webui.audio.pitch import track_pitch
from webui.audio.resampling import resample

HOP = 120


def tracked(signal: np.ndarray) -> np.ndarray:
    return track_pitch(signal, VOWEL_RATE, HOP)


@pytest.mark.parametrize("pitch", [80, 120, 200, 330])
def test_pitch_of_a_vowel(pitch: float) -> None:
    found = tracked(vowel(pitch))[10:-10]
    assert (found > 0).mean() > 0.98
    assert np.median(found) == pytest.approx(pitch, rel=0.01)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_the_rate_of_the_recording_does_not_matter(rate: int) -> None:
    samples = resample(vowel(150).astype(np.float32), VOWEL_RATE, rate).astype(np.float64)
    found = track_pitch(samples, rate, rate // 100)
    assert abs(len(found) - 101) <= 1
    assert np.median(found[10:-10]) == pytest.approx(150, rel=0.01)


def test_pitch_follows_a_glide() -> None:
    frequency = np.linspace(120, 240, VOWEL_RATE)
    phase = 2 * np.pi * np.cumsum(frequency) / VOWEL_RATE
    glide = sum(np.sin(order * phase) / order for order in range(1, 15))
    found = tracked(0.1 * glide)[10:-10]
    expected = frequency[::HOP][10:-10]
    assert np.median(np.abs(found[: len(expected)] / expected - 1)) < 0.02


def test_noise_and_silence_are_unvoiced() -> None:
    assert (tracked(noise()) > 0).mean() < 0.1
    assert (tracked(np.zeros(VOWEL_RATE)) > 0).mean() == 0
