"""Live text from models that do not stream: by spoken segments, the same as from the whole recording."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks import fake_engine
from tests.speech_kit import speech
from webui.audio.vad import RATE, SpeechDetector
from webui.engines.base import Recognition, RecognitionOptions, Waveform
from webui.engines.live import KEPT_SECONDS, listen

OPTIONS = RecognitionOptions(language="en")


class Lengths:
    """Hears how long a segment is, in tenths of a second."""

    def recognize(self, batch: list[Waveform], options: RecognitionOptions) -> list[Recognition]:
        texts = [f"{wave.seconds:.1f}" for wave in batch]
        return [Recognition(text, text) for text in texts]

    def close(self) -> None: ...


class Streaming(Lengths):
    def open(self, options: RecognitionOptions) -> tuple[str, RecognitionOptions]:
        return ("its own session", options)


def recording() -> np.ndarray:
    pause = np.zeros(RATE, np.float32)
    return np.concatenate((pause, speech(2, RATE), pause, speech(3, RATE), pause))


def heard_whole(sound: np.ndarray) -> list[str]:
    session = SpeechDetector().session()
    spans = session.feed(sound) + session.finish()
    pieces = [sound[round(span.start * RATE) : round(span.end * RATE)] for span in spans]
    return [fake_engine.heard(Waveform(piece, RATE)) for piece in pieces]


def test_segments_are_heard_as_in_the_whole_recording() -> None:
    sound = recording()
    listener = listen(fake_engine.FakeRecognizer("cpu"), SpeechDetector(), OPTIONS)
    for at in range(0, len(sound), 3200):
        listener.feed(sound[at : at + 3200])
    assert listener.finish() == "".join(heard_whole(sound)) and len(heard_whole(sound)) == 2


def test_text_grows_at_a_pause_and_not_before() -> None:
    listener = listen(Lengths(), SpeechDetector(), OPTIONS)
    sound = recording()
    seen = [listener.feed(sound[at : at + RATE // 5]) for at in range(0, len(sound), RATE // 5)]
    assert seen[9] == "" and seen[-1] and seen.index(seen[-1]) > 20
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen))


def test_silence_gives_no_text_and_keeps_little() -> None:
    listener = listen(Lengths(), SpeechDetector(), OPTIONS)
    for _ in range(40):
        assert listener.feed(np.zeros(2 * RATE, np.float32)) == ""
    assert listener.finish() == ""
    assert len(listener._sound) <= KEPT_SECONDS * RATE


def test_a_streaming_model_opens_its_own_session() -> None:
    assert listen(Streaming(), SpeechDetector(), OPTIONS) == ("its own session", OPTIONS)
