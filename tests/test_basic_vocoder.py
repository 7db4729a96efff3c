"""The vocoder on signals whose pitch, envelope and noise are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech_kit import noise, vowel
from webui.audio.pitch import track_pitch
from webui.engines.basic import vocoder
from webui.engines.basic.vocoder import BANDS, BINS, HOP, RATE, Speech, analyse, synthesise


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square difference of two log power envelopes in dB."""
    return float(10 / np.log(10) * np.sqrt(((one - other) ** 2).mean()))


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
    assert np.median(track_pitch(synthesise(higher), RATE, HOP)[20:-20]) == pytest.approx(180, rel=0.01)
