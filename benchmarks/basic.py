"""Speed of the basic engine, which works in a process of its own: seconds a second of audio, one JSON line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from benchmarks.make_samples import PROMPT, speech
from webui.engines.base import RecognitionOptions, SpeechOptions, Waveform
from webui.engines.basic import models
from webui.engines.basic.espeak import Espeak
from webui.settings import Settings

MANDARIN = "收到好友从远方寄来的生日礼物，那份意外的惊喜与深深的祝福，让我心中充满了甜蜜的快乐。"
ENGLISH = "The government will increase the budget next year. The president will travel to London."

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result and the seconds that it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def main() -> None:
    engines = {model.kind: model for model in models(Settings())}
    synthesizer = engines["synthesizer"].load("cpu")
    recognizer = engines["recognizer"].load("cpu")
    espeak = Espeak()
    prompt = Waveform(speech(PROMPT, espeak, "+f4", rate=175, pitch=60), 16000)
    recording = Waveform(speech(ENGLISH, espeak, "+f2", rate=160, pitch=50), 16000)
    espeak.close()
    list(synthesizer.speak("热身 1。", None, SpeechOptions()))  # loads the dictionaries
    voice, enrolling = timed(lambda: synthesizer.enrol(prompt, ""))
    builtin, speaking = timed(lambda: list(synthesizer.speak(MANDARIN, None, SpeechOptions())))
    cloned, cloning = timed(lambda: list(synthesizer.speak(MANDARIN, voice, SpeechOptions())))
    _, recognising = timed(lambda: recognizer.recognize([recording], RecognitionOptions()))
    synthesizer.close()
    seconds = sum(piece.seconds for piece in cloned)
    figures = {
        "enrol_rtf": enrolling / prompt.seconds,
        "builtin_rtf": speaking / sum(piece.seconds for piece in builtin),
        "clone_rtf": cloning / seconds,
        "recognise_rtf": recognising / recording.seconds,
        "clone_seconds": seconds,
        "peak": float(max(np.abs(piece.samples).max() for piece in cloned)),
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
