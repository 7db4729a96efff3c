"""Prompts of cloned voices: accepted, trimmed, judged, refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.speech_kit import sentence, speech
from webui.audio.encode import AudioWriter
from webui.audio.formats import AudioFormat
from webui.audio.intake import Decoder
from webui.audio.prompts import LEAST_SECONDS, judge, read_prompt
from webui.errors import UserError, codes
from webui.settings import Settings

RATE = 24_000


@pytest.fixture
def decoder(settings: Settings) -> Iterator[Decoder]:
    decoder = Decoder(settings)
    yield decoder
    decoder.close()


def voice(seconds: float, rate: int = RATE, level: float = 1.0) -> np.ndarray:
    return speech(seconds, rate) * np.float32(level)


def silence(seconds: float) -> np.ndarray:
    return (1e-4 * np.random.default_rng(0).standard_normal(int(seconds * RATE))).astype(np.float32)


def findings(samples: np.ndarray) -> set[str]:
    found = {finding.code for finding in judge(samples, RATE).findings}
    assert found <= codes()
    return found


def code(samples: np.ndarray) -> str:
    with pytest.raises(UserError) as caught:
        judge(samples, RATE)
    assert caught.value.code in codes()
    return caught.value.code


def test_silence_around_the_speech_is_trimmed_and_nothing_in_it() -> None:
    samples = np.concatenate([silence(4), voice(3), silence(2), voice(3), silence(5)])
    prompt = judge(samples, RATE)
    assert prompt.seconds == pytest.approx(8, abs=0.8)
    assert prompt.findings == ()


def test_a_prompt_keeps_its_least_length_when_trimmed() -> None:
    prompt = judge(np.concatenate([silence(2), voice(2), silence(2)]), RATE)
    assert prompt.seconds == pytest.approx(LEAST_SECONDS, abs=0.01)


def test_too_short_too_long_and_voiceless_prompts_are_refused() -> None:
    assert code(voice(2.5)) == "PROMPT_TOO_SHORT"
    assert code(voice(31)) == "PROMPT_TOO_LONG"
    assert code(silence(5)) == "PROMPT_TOO_QUIET"
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    assert code(noise) == "PROMPT_NO_VOICE"
    assert code(np.zeros(5 * RATE, np.float32)) == "PROMPT_TOO_QUIET"


def test_a_long_recording_with_little_speech_is_accepted() -> None:
    assert judge(np.concatenate([silence(20), voice(8), silence(15)]), RATE).seconds < 10


def test_quiet_clipped_and_noisy_prompts_are_accepted_with_a_finding() -> None:
    assert findings(voice(5)) == set()
    assert findings(voice(5, level=0.01)) == {"PROMPT_TOO_QUIET"}
    loud = voice(5)
    assert "PROMPT_CLIPPED" in findings(np.clip(loud / np.abs(loud).max() * 4, -1, 1))
    noise = np.random.default_rng(0).standard_normal(len(loud)).astype(np.float32)
    assert "PROMPT_NOISY" in findings(loud + noise * 0.04)


def test_a_second_voice_is_told_and_accepted() -> None:
    man, woman = sentence(RATE), sentence(RATE, voice="en-us+f2")
    assert findings(man) == findings(woman) == set()
    assert findings(np.concatenate([man, woman])) == {"PROMPT_VOICES"}
    samples = np.concatenate([silence(10), man, silence(2), woman, silence(8)])
    assert findings(samples) == {"PROMPT_VOICES"}


def test_a_file_is_decoded_at_its_own_rate_up_to_24_khz(decoder: Decoder, tmp_path: Path) -> None:
    """A telephone recording stays 8 kHz, so that an engine can see what it is."""
    for rate, expected in ((8_000, 8_000), (16_000, 16_000), (48_000, 24_000)):
        samples = np.stack([voice(4, rate)] * 2, 1)
        soundfile.write(tmp_path / "a.flac", samples, rate)
        prompt = read_prompt(decoder, tmp_path / "a.flac", "a.flac")
        assert prompt.rate == expected
        assert prompt.samples.dtype == np.float32
        assert prompt.seconds == pytest.approx(4, abs=0.4)


@pytest.mark.parametrize("dead", [0, 1])
def test_of_a_stereo_recording_the_channel_with_the_voice_is_taken(decoder: Decoder, tmp_path: Path, dead: int) -> None:
    channels = [voice(4), voice(4)]
    channels[dead] = silence(4)
    soundfile.write(tmp_path / "a.wav", np.stack(channels, 1), RATE)
    prompt = read_prompt(decoder, tmp_path / "a.wav", "a.wav")
    assert np.abs(prompt.samples).max() == pytest.approx(0.5, abs=0.01)
    soundfile.write(tmp_path / "b.wav", np.stack([voice(4), -voice(4)], 1), RATE)
    assert read_prompt(decoder, tmp_path / "b.wav", "b.wav").findings == ()


def test_of_a_call_one_side_is_taken(decoder: Decoder, tmp_path: Path) -> None:
    man, woman = sentence(RATE)[: 5 * RATE], sentence(RATE, voice="en-us+f2")[: 5 * RATE]
    call = np.zeros((10 * RATE, 2), np.float32)
    call[: len(man), 0], call[5 * RATE : 5 * RATE + len(woman), 1] = man, 0.5 * woman
    soundfile.write(tmp_path / "call.wav", call, RATE)
    prompt = read_prompt(decoder, tmp_path / "call.wav", "call.wav")
    assert prompt.findings == ()
    assert prompt.seconds < 6


@pytest.mark.parametrize(("form", "rate"), [("wav", 24_000), ("flac", 44_100), ("aac", 44_100), ("opus", 48_000)])
def test_thirty_seconds_are_not_too_long_in_any_format(
    decoder: Decoder, tmp_path: Path, form: AudioFormat, rate: int
) -> None:
    """AAC pads what it holds."""
    with AudioWriter(tmp_path / "a", form, rate) as writer:
        writer.write(voice(30, rate))
    prompt = read_prompt(decoder, tmp_path / "a", f"a.{form}")
    assert 29.5 < prompt.seconds <= 30


def test_thirty_seconds_of_speech_need_no_room_around_them() -> None:
    samples = np.concatenate([silence(1), voice(29.8), silence(1)])
    assert judge(samples, RATE).seconds == pytest.approx(30, abs=0.05)


def test_three_seconds_at_another_rate_are_not_too_short(decoder: Decoder, tmp_path: Path) -> None:
    for rate in (11_025, 22_050, 44_100, 48_000):
        soundfile.write(tmp_path / "a.wav", voice(3, rate), rate)
        assert read_prompt(decoder, tmp_path / "a.wav", "a.wav").seconds == pytest.approx(3, abs=0.001)


def test_an_hour_is_refused_without_being_read_through(decoder: Decoder, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(3600 * 8000, np.int16), 8_000)
    with pytest.raises(UserError) as caught:
        read_prompt(decoder, tmp_path / "a.wav", "a.wav")
    assert caught.value.code == "PROMPT_TOO_LONG"
    assert caught.value.params["seconds"] == 3600


def test_what_is_no_audio_is_refused_as_everywhere(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("hello")
    with pytest.raises(UserError, match="NOT_AUDIO"):
        read_prompt(decoder, tmp_path / "a.wav", "a.wav")


def test_real_prompts_are_accepted_and_hardly_criticised(decoder: Decoder, shared: Path) -> None:
    prompts = [read_prompt(decoder, path, path.name) for path in (shared / "eval" / "voiceprompts").iterdir()]
    assert len(prompts) > 10
    assert sum(bool(prompt.findings) for prompt in prompts) <= 1
