"""Recordings that are too quiet are raised for those who listen; ordinary ones stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from webui.audio import input_gain
from webui.audio.intake import Decoder
from webui.audio.vad import RATE, Span, SpeechDetector
from webui.errors import UserError
from webui.settings import Settings

WHISPERED = "zai-org+GLM-ASR__example_zh.wav"


def noise(seconds: float, db: float, seed: int = 0) -> np.ndarray:
    """The line of a telephone: 300 to 3400 Hz, with the mains' hum."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    hum = np.sin(2 * np.pi * 50 * np.arange(count) / RATE) * 0.2
    line = np.fft.irfft(spectrum, count) + hum
    return np.float32(line / np.sqrt(np.mean(line**2)) * 10 ** (db / 20))


def meter_of(samples: np.ndarray, block: int = 10**9) -> input_gain.LoudnessMeter:
    meter = input_gain.quiet_meter(RATE)
    for at in range(0, len(samples), block):
        meter.feed(samples[at : at + block])
    return meter


def spans_of(samples: np.ndarray) -> list[Span]:
    session = SpeechDetector().session()
    return session.feed(samples) + session.finish()


@pytest.mark.parametrize("db", [-52, -58, -66, -80])
def test_what_is_too_quiet_is_brought_to_a_level_people_record_at_within_bounds(db: float) -> None:
    samples = noise(4, db)
    assert input_gain.level_db(meter_of(samples)) == pytest.approx(db, abs=1)
    assert input_gain.level_db(meter_of(input_gain.with_gain(samples, RATE))) == pytest.approx(min(-20, db + 40), abs=1)
    assert input_gain.gain(meter_of(samples, 777)) == input_gain.gain(meter_of(samples))


@pytest.mark.parametrize("db", [-45, -30, -3])
def test_what_is_recorded_as_usual_stays_sample_for_sample(db: float) -> None:
    samples = noise(4, db)
    assert input_gain.with_gain(samples, RATE) is samples


def test_silence_is_left_alone() -> None:
    assert input_gain.gain(meter_of(np.zeros(RATE, np.float32))) == 1
    assert input_gain.gain(meter_of(np.zeros(10, np.float32))) == 1


def test_a_little_speech_at_a_usual_level_in_a_long_silence_is_not_quiet() -> None:
    samples = noise(600, -70)
    samples[300 * RATE : 302 * RATE] += noise(2, -40)
    assert input_gain.gain(meter_of(samples)) == 1


def test_some_clicks_do_not_hide_how_quiet_the_rest_is() -> None:
    samples = noise(60, -58)
    samples[:: 6 * RATE] = 1
    assert input_gain.level_db(meter_of(samples)) == pytest.approx(-58, abs=1)
    assert np.abs(input_gain.with_gain(samples, RATE)).max() == 1


@pytest.mark.parametrize("db", [-50, -60, -75])
def test_a_raised_line_on_which_nobody_speaks_is_no_speech(db: float) -> None:
    samples = noise(60, db)
    samples[:: 3 * RATE] += 0.01  # clicks
    assert input_gain.gain(meter_of(samples)) > 1
    assert spans_of(input_gain.with_gain(samples, RATE)) == []


def test_of_real_recordings_only_the_whispered_one_is_raised(shared: Path, tmp_path: Path) -> None:
    decoder = Decoder(Settings(data=tmp_path, models=tmp_path))
    found = {}
    for path in sorted((shared / "eval" / "speech" / "zh").glob("*.*")):
        try:
            with decoder.decode(path, path.name, "mix", RATE) as decoding:
                samples = np.concatenate([block[:, 0] for block in decoding]).astype(np.float32) / 32768
        except UserError:  # not every file is sound
            continue
        found[path.name] = samples
    decoder.close()
    assert len(found) > 10
    assert [name for name, samples in found.items() if input_gain.gain(meter_of(samples)) > 1] == [WHISPERED]
    whispered = found[WHISPERED]
    assert spans_of(whispered) == []
    (span,) = spans_of(input_gain.with_gain(whispered, RATE))
    assert span.start < 1 and span.end > 5.5
