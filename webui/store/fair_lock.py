"""A mutex that is fair: whoever asks first has it first. Python's own lets the quick overtake the waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """Not reentrant. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: deque[threading.Event] = deque()  # the first has the lock; each is set when its turn comes

    @contextmanager
    def held(self, timeout: float | None = None) -> Iterator[bool]:
        """The lock while the block runs, or False where it was not to be had within `timeout` seconds (None: ever)."""
        turn = self._join()
        try:
            came = turn.wait(timeout)
            if not came:
                self._leave(turn)
            yield came
        finally:
            self._leave(turn)

    def _join(self) -> threading.Event:
        turn = threading.Event()
        with self._guard:
            self._line.append(turn)
            self._line[0].set()
        return turn

    def _leave(self, turn: threading.Event) -> None:
        """Give up the lock or the place in the line, whichever it is by now."""
        with self._guard:
            if turn in self._line:
                self._line.remove(turn)
            if self._line:
                self._line[0].set()
