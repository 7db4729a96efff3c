"""How long `/healthz` takes while an engine of the same process loads and works: a program of its own.

`python -m tests.responsiveness MODELS NAME` with the model's folder in MODELS; prints JSON, seconds:
{"idle": p99, "loading": the longest, "working": p99}.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.api_kit import serving
from tests.speech_kit import speech
from webui.engines import catalog
from webui.engines.base import AnyModel, RecognitionOptions, SpeechOptions, Waveform
from webui.settings import Settings

RATE = 16_000  # Hz
PAUSE_S = 0.01
LEAST_S = 2.0  # of work


class Stalling:
    """A recognizer that computes in C without giving the interpreter's lock back, as some libraries do."""

    def recognize(self, batch: object, _options: object) -> list[object]:
        import ctypes

        ctypes.PyDLL(None).usleep(4_000_000)  # a PyDLL's function keeps the lock
        return []

    def close(self) -> None: ...


def measured(url: str, work: Callable[[], object]) -> list[float]:
    """Seconds of every answer while `work` goes on in another thread."""
    host, port = url.removeprefix("http://").split(":")
    thread = threading.Thread(target=work)
    waits: list[float] = []
    began = time.perf_counter()
    thread.start()
    while thread.is_alive() or not waits:
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        connection.close()
        waits.append(time.perf_counter() - began)
        time.sleep(PAUSE_S)
        began = time.perf_counter()
    return waits


def work_of(engine: object) -> Callable[[], object]:
    """One piece of work, as a job gives it."""
    if hasattr(engine, "recognize"):
        return lambda: engine.recognize([Waveform(speech(10, RATE), RATE)], RecognitionOptions())
    voice = engine.enrol(Waveform(speech(5, RATE), RATE), "你好。")  # type: ignore[attr-defined]
    return lambda: list(engine.speak("今天天气很好，我们去公园散步。", voice, SpeechOptions(language="zh")))  # type: ignore[attr-defined]


def repeated(work: Callable[[], object]) -> None:
    until = time.monotonic() + LEAST_S
    while time.monotonic() < until:
        work()


def report(url: str, load: Callable[[], object]) -> dict[str, float]:
    engines: list[object] = []
    idle = measured(url, lambda: time.sleep(1))
    loading = measured(url, lambda: engines.append(load()))
    work = work_of(engines[0])
    work()  # what is imported and compiled by the first piece of work belongs to loading
    working = measured(url, lambda: repeated(work))
    return {"idle": p99(idle), "loading": max(loading), "working": p99(working)}


def p99(waits: list[float]) -> float:
    """Of callers who come every PAUSE_S: who asks only after an answer asks but once in the midst of a stall."""
    callers = [wait - late for wait in waits for late in np.arange(0, wait, PAUSE_S)]
    return float(np.quantile(callers, 0.99, method="higher"))


def main(models: Path, name: str) -> None:
    wanted, _, kind = name.partition(":")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), workers=False) as server:
        if wanted == "stalling":
            print(json.dumps(report(server.url, Stalling)))
            return
        present = catalog.available(Settings(models=models, data=Path(folder) / "data"))
        model: AnyModel = next(each for each in present if each.name == wanted and kind in (each.kind, ""))
        print(json.dumps(report(server.url, lambda: model.load("cpu"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
