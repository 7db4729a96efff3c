"""The espeak-ng worker process, started when first needed and again when it dies."""

from __future__ import annotations

import ctypes.util
import importlib.util
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from webui.audio.samples import to_float32
from webui.engines.base import EngineError, Waveform
from webui.engines.basic.worker import Worker, WorkerDied

log = logging.getLogger(__name__)

TIME_LIMIT_S = 60  # of one request; a sentence takes some 0.1 s
_WORKER = Path(__file__).with_name("espeak_worker.py")


class Espeak:
    """Text to raw speech and to phonemes. Threads may share one; their requests queue up.

    `library` and `data` name a particular espeak-ng; without them the installed package's is tried, then the
    system's. Methods raise EngineError: ESPEAK_MISSING where none can be loaded.
    """

    def __init__(self, library: Path | None = None, data: Path | None = None) -> None:
        self._library, self._data = library, data
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    def speak(self, text: str, voice: str, rate: int, pitch: int = 50) -> Waveform:
        """`text`, which may hold `[[phonemes]]`, in an espeak voice; rate in words per minute (80 to 450)."""
        head, samples = self._ask({"op": "speak", "voice": voice, "text": text, "rate": rate, "pitch": pitch})
        return Waveform(to_float32(np.frombuffer(samples, "<i2")), head["rate"])

    def phonemes(self, texts: Sequence[str], voice: str) -> list[str]:
        """espeak's phoneme mnemonics of each text."""
        return list(self._ask({"op": "phonemes", "voice": voice, "texts": list(texts)})[0]["phonemes"])

    def version(self) -> str:
        """The library's version; starts the worker."""
        with self._lock:
            return str(self._running().greeting["version"])

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            try:
                return self._running().ask(request, limit_s=TIME_LIMIT_S)
            except WorkerDied:
                log.warning("the espeak-ng worker ended in a request; it is started again")
                self._drop()
            try:
                return self._running().ask(request, limit_s=TIME_LIMIT_S)
            except WorkerDied:
                self._drop()
                raise EngineError("ENGINE_FAILED", "espeak-ng ended twice on one text") from None

    def _running(self) -> Worker:
        if self._worker is None:
            self._worker = self._started()
        return self._worker

    def _started(self) -> Worker:
        reasons = []
        for library, data in _candidates(self._library, self._data):
            try:
                return Worker(_WORKER, library, data, options=("-I", "-S"))  # it needs the standard library only
            except (WorkerDied, OSError) as error:
                reasons.append(f"{library}: {error}")
        log.error("no espeak-ng can be loaded: %s", "; ".join(reasons) or "none is installed")
        raise EngineError("ESPEAK_MISSING")

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None


def _candidates(library: Path | None, data: Path | None) -> Iterator[tuple[str, str]]:
    """(library, data folder) pairs to try in turn; an empty data folder is the library's own."""
    if library is not None:
        yield str(library), str(data or "")
        return
    if importlib.util.find_spec("espeakng_loader") is not None:
        import espeakng_loader

        yield str(espeakng_loader.get_library_path()), str(data or espeakng_loader.get_data_path())
    if system := ctypes.util.find_library("espeak-ng"):  # starts a compiler
        yield system, str(data or "")
