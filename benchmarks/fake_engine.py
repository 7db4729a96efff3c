"""A plug-in with two models that need no weights: for load and crash tests, and an example of an engine module.

`fake` recognises and speaks. What it hears is a function of the samples. Hotwords steer it: `seconds=0.2` takes so long
per segment, `log=FILE` notes every segment heard, `crash=3` kills the process at those whose checksum divides by three.
When speaking, the instruction is the seconds per sentence.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from webui.engines.base import (
    AnyModel,
    Recognition,
    RecognitionOptions,
    Recognizer,
    RecognizerCapabilities,
    RecognizerModel,
    SpeechOptions,
    Synthesizer,
    SynthesizerCapabilities,
    SynthesizerModel,
    VoiceFeatures,
    Waveform,
    Word,
    prompt_hash,
)
from webui.settings import Settings

RATE = 24_000  # Hz, of what it speaks
CHARACTER_SECONDS = 0.05
_HEARS = RecognizerCapabilities(languages=("zh", "en"), hotwords=True, word_times=True, batch_seconds=30)
_INSTRUCTIONS = (("0.02", "0.02 seconds a sentence"), ("0.5", "half a second a sentence"))
_SPEAKS = SynthesizerCapabilities(
    languages=("zh", "en"), instruct=True, instructions=_INSTRUCTIONS, convert=True, sample_rate=RATE
)


def models(_settings: Settings) -> list[AnyModel]:
    return [
        RecognizerModel("fake", "fake", "1", _HEARS, FakeRecognizer),
        SynthesizerModel("fake", "fake", "1", _SPEAKS, FakeSynthesizer),
    ]


def heard(waveform: Waveform) -> str:
    """What the fake hears: the checksum of the samples in Chinese digits, the same for the same sound."""
    return "听到" + "".join("零一二三四五六七八九"[int(digit)] for digit in str(_checksum(waveform)))


class FakeRecognizer(Recognizer):
    def __init__(self, device: str) -> None:
        self.device = device

    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        settings = dict(word.split("=", 1) for word in options.hotwords if "=" in word)
        return [_recognition(waveform, settings) for waveform in batch]


class FakeSynthesizer(Synthesizer):
    def __init__(self, device: str) -> None:
        self.device = device

    def enrol(self, prompt: Waveform, transcript: str) -> VoiceFeatures:
        return VoiceFeatures("fake", "1", prompt_hash(prompt, transcript), {"pitch": np.float32([prompt.seconds])})

    def speak(self, text: str, voice: VoiceFeatures | None, options: SpeechOptions) -> Iterator[Waveform]:
        time.sleep(float(options.instruct or 0))
        pitch = 200 if voice is None else 300
        for character in text:
            tone = pitch + ord(character) % 100
            times = np.arange(round(CHARACTER_SECONDS * RATE)) / RATE
            yield Waveform(np.float32(0.3 * np.sin(2 * np.pi * tone * times)), RATE)

    def convert(self, source: Waveform, voice: VoiceFeatures, options: SpeechOptions) -> Iterator[Waveform]:  # noqa: ARG002
        times = np.arange(round(source.seconds * RATE)) / RATE
        yield Waveform(np.float32(0.3 * np.sin(2 * np.pi * 300 * times)), RATE)


def _recognition(waveform: Waveform, settings: dict[str, str]) -> Recognition:
    time.sleep(float(settings.get("seconds", 0)))
    if "crash" in settings and _checksum(waveform) % int(settings["crash"]) == 0:
        os.abort()
    text = heard(waveform)
    if "log" in settings:
        with Path(settings["log"]).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    step = waveform.seconds / len(text)
    words = tuple(Word(character, at * step, (at + 1) * step) for at, character in enumerate(text))
    return Recognition(text, text, "zh", words)


def _checksum(waveform: Waveform) -> int:
    return zlib.crc32(waveform.samples.tobytes())
