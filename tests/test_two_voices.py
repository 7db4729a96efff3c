"""A second voice in a recording, told by its pitch; one voice that changes its pitch is no second one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.two_voices import read
from tests.speech_kit import sentence
from webui.audio.resampling import resample
from webui.audio.two_voices import CLEAR, contrast, two_voices

RATE = 16_000
WOMAN, OTHER_MAN = "en-us+f2", "en-us+m3"


def spoken(voice: str, seconds: float = 6) -> np.ndarray:
    return sentence(RATE, voice=voice)[: round(seconds * RATE)]


def frames(*stretches: tuple[float, float]) -> np.ndarray:
    """The pitch of stretches of (Hz, voiced seconds), with unvoiced frames between."""
    return np.concatenate([np.concatenate([np.full(round(100 * s), hz), np.zeros(30)]) for hz, s in stretches])


@pytest.mark.parametrize("order", ["man woman", "woman man", "man woman man", "woman man woman"])
def test_a_man_and_a_woman_are_told(order: str) -> None:
    voices = {"man": spoken("en-us", 3.5), "woman": spoken(WOMAN, 3.5)}
    assert two_voices(np.concatenate([voices[name] for name in order.split()]), RATE)


@pytest.mark.parametrize("voice", ["en-us", WOMAN, OTHER_MAN, "cmn", "cmn+f2"])
def test_one_voice_is_one(voice: str) -> None:
    text = (
        "今天天气很好，我们一起去公园散步，好不好？你说呢！"
        if voice.startswith("cmn")
        else "Really? I do not think so!"
    )
    assert not two_voices(np.concatenate([sentence(RATE, text, voice)] * 4), RATE)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000])
def test_the_rate_of_the_recording_does_not_matter(rate: int) -> None:
    both = np.concatenate([spoken("en-us"), spoken(WOMAN)])
    assert two_voices(resample(both, RATE, rate), rate)
    assert not two_voices(resample(spoken(WOMAN), RATE, rate), rate)


def test_how_far_and_how_long_decide() -> None:
    assert contrast(frames((110, 4), (220, 4))) == pytest.approx(1.0 * np.sqrt(2), rel=0.05)
    assert contrast(frames((110, 6), (220, 2))) == pytest.approx(1.0 * np.sqrt(1.5), rel=0.05)
    assert contrast(frames((110, 5), (130, 5))) < CLEAR, "two men, or one who raises the voice"
    assert contrast(frames((110, 5), (220, 0.6), (110, 5))) < CLEAR < contrast(frames((110, 5), (220, 1.2), (110, 5)))


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0), np.zeros(3 * RATE), np.ones(3 * RATE), np.random.default_rng(0).normal(0, 0.1, 5 * RATE), np.ones(1)],
    ids=["nothing", "silence", "constant", "noise", "a sample"],
)
def test_without_a_voice_there_are_not_two(samples: np.ndarray) -> None:
    assert not two_voices(samples.astype(np.float32), RATE)


def test_real_voices_alone_are_one_and_a_man_and_a_woman_two(shared: Path) -> None:
    """The benchmark in small: one very lively voice of fifteen may be taken for two."""
    folder = shared / "eval" / "voiceprompts"
    prompts = {path.stem: read(path) for path in sorted(folder.iterdir())}
    assert sum(two_voices(samples, RATE) for samples in prompts.values()) <= 1
    man, woman = (prompts[f"FireRedTeam+FireRedTTS2__S{number}"][: 5 * RATE] for number in (1, 2))
    assert two_voices(np.concatenate([man, woman]), RATE)
