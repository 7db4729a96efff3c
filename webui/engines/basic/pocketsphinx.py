"""The pocketsphinx worker process, started when a model is loaded and again when it dies."""

from __future__ import annotations

import importlib.util
import logging
import threading
from pathlib import Path
from typing import NamedTuple

from webui.engines.base import EngineError
from webui.engines.basic.worker import Worker, WorkerDied

log = logging.getLogger(__name__)

TIME_LIMIT_S = 60  # of one segment, and so much for each of its seconds:
_PER_SECOND = 20  # a slow, busy machine takes one or two
_RATE = 16_000  # Hz
_WORKER = Path(__file__).with_name("pocketsphinx_worker.py")


class Found(NamedTuple):
    """A word, a silence or a noise with its frames (a hundredth of a second)."""

    word: str
    start_frame: int
    end_frame: int
    probability: float


class Pocketsphinx:
    """Samples to words. Threads may share one; they take turns, in one process.

    Raises ModuleNotFoundError, EngineError where it does not start.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("pocketsphinx") is None:
            raise ModuleNotFoundError("pocketsphinx is not installed", name="pocketsphinx")
        self._lock = threading.Lock()
        self._closed = False
        self._worker: Worker | None = _started()

    def words(self, samples: bytes) -> list[Found]:
        """Of one utterance, 16-bit mono at 16 kHz. Raises EngineError."""
        limit = TIME_LIMIT_S + _PER_SECOND * len(samples) / 2 / _RATE
        with self._lock:
            for _ in range(2):
                if self._closed:
                    break
                try:
                    return self._asked(samples, limit)
                except WorkerDied:
                    log.warning("the pocketsphinx worker ended in a segment")
                    self._drop()
            raise EngineError("ENGINE_FAILED", "pocketsphinx was ended, or ended twice on one segment")

    def close(self) -> None:
        """End the process; one at work, too, whose segment then fails."""
        self._closed = True
        if (worker := self._worker) is not None:
            worker.kill()
        with self._lock:
            self._drop()

    def _asked(self, samples: bytes, limit: float) -> list[Found]:
        if self._worker is None:
            self._worker = _started()
        head, _ = self._worker.ask({}, samples, limit)
        return [Found(*word) for word in head["words"]]

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None


def _started() -> Worker:
    try:
        return Worker(_WORKER)
    except WorkerDied as error:
        log.error("pocketsphinx does not start: %s", error)
        raise EngineError("ENGINE_FAILED", "pocketsphinx does not start") from None
