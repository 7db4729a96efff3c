"""The calls into models that are under way, each with its time limit: a call past it is taken for hung."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from webui.engines.base import AnyModel


@dataclass(frozen=True)
class Call:
    """`began`: on the monotonic clock; `limit_s`: after so many seconds it counts as hanging.

    `work`: whatever the caller wants to know again of what it was doing. `loading`: the model was not in memory yet.
    """

    thread: int
    model: AnyModel
    device: str
    began: float
    limit_s: float
    work: object = None
    loading: bool = False

    @property
    def overdue(self) -> bool:
        return time.monotonic() - self.began > self.limit_s


class Watchdog:
    """Thread-safe. A thread is in one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[int, Call] = {}

    @contextmanager
    def over(
        self, model: AnyModel, device: str, limit_s: float, work: object = None, *, loading: bool = False
    ) -> Iterator[None]:
        """Time what this thread does inside: a call into `model` on `device`, hung after `limit_s` seconds."""
        call = Call(threading.get_ident(), model, device, time.monotonic(), limit_s, work, loading)
        with self._lock:
            self._calls[call.thread] = call
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(call.thread, None)

    def overdue(self) -> list[Call]:
        """The calls that hang. Each is told once."""
        with self._lock:
            found = [call for call in self._calls.values() if call.overdue]
            for call in found:
                del self._calls[call.thread]
        return found
