"""A plug-in whose models misbehave as told: the recognizer by its first hotword, the synthesizer by its instruction.

`raise`, `nan`, `miscount`, `surrogate`, `backwards`, `nothing`, `loud`. Only what lasts less than 1.5 seconds suffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from benchmarks import fake_engine
from webui.engines.base import (
    AnyModel,
    Recognition,
    RecognitionOptions,
    RecognizerCapabilities,
    RecognizerModel,
    SpeechOptions,
    SynthesizerCapabilities,
    SynthesizerModel,
    VoiceFeatures,
    Waveform,
    Word,
)
from webui.settings import Settings

SECRET = "不该进日志的话"
HEARS = RecognizerCapabilities(languages=("zh",), hotwords=True, word_times=True)
SPEAKS = SynthesizerCapabilities(languages=("zh",), instruct=True, sample_rate=fake_engine.RATE)


class Hostile(fake_engine.FakeRecognizer):
    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        good = super().recognize(batch, replace(options, hotwords=()))
        how = next(iter(options.hotwords), "")
        if max(waveform.seconds for waveform in batch) >= 1.5:
            return good
        if how == "raise":
            raise RuntimeError("weights at /srv/models/secret.pt are odd")
        return good[1:] if how == "miscount" else [_spoilt(one, how) for one in good]


def _spoilt(good: Recognition, how: str) -> Recognition:
    nan = float("nan")
    if how == "nan":
        return replace(good, words=(Word("听", nan, nan, nan),), confidence=nan)
    if how == "surrogate":
        return replace(good, text="坏\ud800字\0", text_raw="\udfff")
    if how == "backwards":
        return replace(good, words=(Word("听", 9e9, -9e9), Word("到", float("inf"), 0)))
    return replace(good, text=SECRET, text_raw=SECRET)


class HostileVoice(fake_engine.FakeSynthesizer):
    def speak(self, text: str, voice: VoiceFeatures | None, options: SpeechOptions) -> Iterator[Waveform]:
        if options.instruct == "raise":
            raise RuntimeError(f"cannot say {text}")
        if options.instruct == "nothing":
            return
        for piece in super().speak(text, voice, replace(options, instruct="")):
            value = {"nan": np.nan, "loud": np.inf}.get(options.instruct)
            yield piece if value is None else replace(piece, samples=np.full_like(piece.samples, value))


def models(_settings: Settings) -> list[AnyModel]:
    return [
        RecognizerModel("hostile", "hostile", "1", HEARS, Hostile),
        SynthesizerModel("hostile", "hostile", "1", SPEAKS, HostileVoice),
    ]
