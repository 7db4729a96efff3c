"""The vocoder on signals whose pitch, envelope and noise are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from webui.engines.basic import vocoder
from webui.engines.basic.vocoder import BANDS, BINS, HOP, RATE, Speech, analyse, synthesise, track_pitch


def vowel(pitch: float, seconds: float = 1.0) -> np.ndarray:
    """A pulse train through two formants at 700 and 1200 Hz."""
    pulses = np.zeros(int(seconds * RATE))
    pulses[np.arange(0, len(pulses), RATE / pitch).astype(int)] = 1
    for formant, width in ((700, 90), (1200, 120)):
        radius = np.exp(-np.pi * width / RATE)
        pulses = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], pulses)
    return 0.3 * pulses / np.abs(pulses).max()


def noise(seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(3).standard_normal(int(seconds * RATE))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two log power envelopes in dB."""
    return float(10 / np.log(10) * np.sqrt(((one - other) ** 2).mean()))


@pytest.mark.parametrize("pitch", [80, 120, 200, 330])
def test_pitch_of_a_vowel(pitch: float) -> None:
    tracked = track_pitch(vowel(pitch))[10:-10]
    assert (tracked > 0).mean() > 0.98
    assert np.median(tracked) == pytest.approx(pitch, rel=0.01)


def test_pitch_follows_a_glide() -> None:
    frequency = np.linspace(120, 240, RATE)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    glide = sum(np.sin(order * phase) / order for order in range(1, 15))
    tracked = track_pitch(0.1 * glide)[10:-10]
    expected = frequency[::HOP][10:-10]
    assert np.median(np.abs(tracked[: len(expected)] / expected - 1)) < 0.02


def test_noise_and_silence_are_unvoiced() -> None:
    assert (track_pitch(noise()) > 0).mean() < 0.1
    assert (track_pitch(np.zeros(RATE)) > 0).mean() == 0


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_short_signals_pass(count: int) -> None:
    speech = analyse(noise()[:count])
    frames = count // HOP + 1
    assert speech.pitch.shape == (frames,)
    assert speech.envelope.shape == (frames, BINS)
    assert speech.aperiodicity.shape == (frames, BANDS)
    assert len(synthesise(speech)) == frames * HOP
    assert np.isfinite(synthesise(speech)).all()


def test_the_envelope_shows_formants_and_no_harmonics() -> None:
    envelopes = [analyse(vowel(pitch)).envelope[50:150].mean(axis=0) for pitch in (100, 170)]
    below_3000 = slice(5, int(3000 / RATE * vocoder.FFT))
    shapes = [envelope[below_3000] - envelope[below_3000].mean() for envelope in envelopes]
    assert distance(*shapes) < 2.0
    for envelope in envelopes:
        peak = np.argmax(envelope[: int(1000 / RATE * vocoder.FFT)]) * RATE / vocoder.FFT
        assert peak == pytest.approx(700, abs=60)


def test_aperiodicity_grows_with_noise() -> None:
    clean, noisy = analyse(vowel(150)), analyse(vowel(150) + noise(level=0.03))
    quiet, loud = (speech.aperiodicity[speech.voiced].mean() for speech in (clean, noisy))
    assert loud > quiet + 1


@pytest.mark.parametrize("pitch", [100, 220])
def test_copies_keep_pitch_envelope_and_level(pitch: float) -> None:
    signal = vowel(pitch)
    speech = analyse(signal)
    copy = synthesise(speech)
    again = analyse(copy)
    both = slice(20, min(len(again.pitch), len(speech.pitch)) - 20)
    assert np.median(again.pitch[both]) == pytest.approx(pitch, rel=0.01)
    audible = slice(3, int(4000 / RATE * vocoder.FFT))
    assert distance(again.envelope[both, audible], speech.envelope[both, audible]) < 2.5
    assert copy.std() == pytest.approx(signal.std(), rel=0.2)


def test_copied_noise_keeps_its_level() -> None:
    assert synthesise(analyse(noise())).std() == pytest.approx(0.1, rel=0.12)


def test_the_seed_decides_the_noise() -> None:
    speech = analyse(noise(0.3))
    assert np.array_equal(synthesise(speech, 5), synthesise(speech, 5))
    assert not np.array_equal(synthesise(speech, 5), synthesise(speech, 6))


def test_pulses_follow_a_changed_pitch() -> None:
    speech = analyse(vowel(120))
    higher = Speech(speech.pitch * 1.5, speech.envelope, speech.aperiodicity)
    assert np.median(track_pitch(synthesise(higher))[20:-20]) == pytest.approx(180, rel=0.01)
