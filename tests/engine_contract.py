"""What every engine keeps to, whoever made it: functions that take a Model and fail where it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from webui.engines.base import (
    AnyModel,
    Engine,
    Recognition,
    RecognitionOptions,
    Recognizer,
    RecognizerModel,
    Samples,
    SpeechOptions,
    StreamingRecognizer,
    SynthesizerModel,
    VoiceFeatures,
    Waveform,
)
from webui.hosting.output_checks import checked_recognitions, checked_waveform

RATE = 16_000  # Hz, of what a recognizer is given
EARLY_S = 0.5  # by which a word may be said to end after its segment does


def keeps_to_the_contract(model: AnyModel, recording: Samples, text: str = "今天天气很好。") -> None:
    """`recording`: speech of at least four seconds, 16 kHz; `text`: a sentence in a language of the model."""
    assert model.name and model.engine and model.revision and model.problem is None
    if isinstance(model, RecognizerModel):
        recognizes(model, recording)
    if isinstance(model, SynthesizerModel):
        speaks(model, recording, text)


def recognizes(model: RecognizerModel, recording: Samples) -> None:
    """One result per waveform, in order; times within them; streaming where it is said."""
    engine = model.load("cpu")
    try:
        assert isinstance(engine, StreamingRecognizer) == model.capabilities.streaming
        options = RecognitionOptions(next(iter(model.capabilities.languages), "auto"))
        long, short = Waveform(recording, RATE), Waveform(recording[: 2 * RATE], RATE)
        found = _recognized(engine, [long, short, long], options)
        assert found[0] == found[2], "the same sound gives the same text, wherever it stands in the batch"
        assert found[:1] == _recognized(engine, [long], options), "and whatever else is in the batch"
        assert model.capabilities.word_times or not any(each.words for each in found)
        assert model.capabilities.speakers or not any(each.speaker for each in found)
        _hears_nothing(engine, options)
        if isinstance(engine, StreamingRecognizer):
            _streams(engine, recording, options)
    finally:
        _close(engine)


def speaks(model: SynthesizerModel, recording: Samples, text: str) -> None:
    """A voice is enrolled and kept, sentences and recordings come out in pieces at the rate that is declared."""
    engine = model.load("cpu")
    try:
        assert all(isinstance(part, str) for stage in engine.devices.items() for part in stage)
        model.check_text(text)
        prompt = Waveform(recording[: 4 * RATE], RATE)
        voice = engine.enrol(prompt, text)
        kept = VoiceFeatures.from_bytes(voice.to_bytes())
        assert (kept.engine, kept.revision, kept.prompt_sha256) == (model.engine, model.revision, voice.prompt_sha256)
        options = SpeechOptions(language="zh", seed=7)
        said = [_sound(model, engine.speak(text, each, options)) for each in (voice, kept)]
        assert len(said[0]) and np.array_equal(*said), "a voice from the store speaks as the one just enrolled"
        if model.capabilities.own_voice:
            assert len(_sound(model, engine.speak(text, None, options)))
        if model.capabilities.streaming:
            assert len(_sound(model, engine.speak(text, voice, replace(options, stream=True))))
        if model.capabilities.convert:
            seconds = len(_sound(model, engine.convert(prompt, voice, options))) / model.capabilities.sample_rate
            assert abs(seconds - prompt.seconds) < 0.25, "as long as what is converted"
    finally:
        _close(engine)


def _recognized(engine: Recognizer, batch: list[Waveform], options: RecognitionOptions) -> list[Recognition]:
    found = checked_recognitions(engine.recognize(batch, options), batch)
    for each, waveform in zip(found, batch, strict=True):
        times = [time for word in each.words for time in (word.start, word.end)]
        assert times == sorted(times) and all(0 <= time <= waveform.seconds + EARLY_S for time in times)
        assert each.text or not each.text_raw, "no text was lost"
    return found


def _hears_nothing(engine: Recognizer, options: RecognitionOptions) -> None:
    """Silence and no sound at all have results, too."""
    assert engine.recognize([], options) == []
    nothing = [Waveform(np.zeros(count, np.float32), RATE) for count in (0, RATE)]
    assert len(_recognized(engine, nothing, options)) == 2


def _streams(engine: StreamingRecognizer, recording: Samples, options: RecognitionOptions) -> None:
    sessions = [engine.open(options) for _ in range(2)]
    for at in range(0, len(recording), RATE):
        for session in sessions:
            session.feed(recording[at : at + RATE])
    first, second = (session.finish() for session in sessions)
    assert first == second, "sessions of one model do not disturb each other"


def _sound(model: SynthesizerModel, pieces: Iterable[Waveform]) -> Samples:
    made = [checked_waveform(piece) for piece in pieces]
    assert all(piece.rate == model.capabilities.sample_rate for piece in made)
    samples = np.concatenate([piece.samples for piece in made])
    assert samples.dtype == np.float32 and np.abs(samples).max() <= 1
    return samples


def _close(engine: Engine) -> None:
    engine.close()
    engine.close()
