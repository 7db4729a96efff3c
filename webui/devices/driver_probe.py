"""Drivers that may never answer: asked by a child process first, and later with a time limit.

A call into a driver may hold Python's lock while it hangs, and with it the whole process; no thread can watch over
that. So a child goes ahead (`DriverProbe`), and this process touches only what has answered it. What hangs afterwards,
when the memory of a card is read, is left behind in a thread of its own (`TimedCall`).
"""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Generic, TypeVar

from webui.errors import Notice

ANSWER_S = 20.0  # without a sign of life; CUDA and CANN take seconds to begin
BEGIN_S = 60.0  # for a driver to begin, with its plug-in read from a cold disk
IMPORT_S = 600.0  # for torch itself, which no driver is to blame for
DONE = "done"  # the last step: what hangs or crashes as the child ends is no card
MARK = "shengfang: "  # begins the child's lines; the vendors' libraries print too

_ROOT = Path(__file__).resolve().parents[2]
_T = TypeVar("_T")


def silent(seconds: float) -> Notice:
    return Notice("DEVICE_SILENT", {"seconds": round(seconds)})


def say(step: str) -> None:
    """In the child: what comes next."""
    print(f"{MARK}{step}", flush=True)


class DriverProbe:
    """A child that runs `code` and says its steps; begun at once, while this process does other things."""

    def __init__(self, code: str) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._child = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, name="driver", daemon=True).start()

    def steps(self) -> tuple[str, Notice | None]:
        """The last step it began, and why it got no further; None where it ended by itself."""
        step = ""
        while True:
            limit = IMPORT_S if step in ("", "torch") else BEGIN_S if step == "driver" else ANSWER_S
            try:
                line = self._lines.get(timeout=limit)
            except queue.Empty:
                self._child.kill()  # and not waited for: a process inside a driver may not die of it
                return step, None if step == DONE else silent(limit)
            if line is None:
                return step, None if step == DONE else self._end()
            step = line

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for line in lines:
                if line.startswith(MARK):
                    self._lines.put(line.removeprefix(MARK).strip())
        self._child.wait()
        self._lines.put(None)

    def _end(self) -> Notice | None:
        status = self._child.returncode
        return Notice("DEVICE_FAILS", {"detail": signal.strsignal(-status) or str(status)}) if status < 0 else None


class TimedCall(Generic[_T]):
    """A call that may never return, made once at a time, in a thread of its own. Thread-safe."""

    def __init__(self, call: Callable[[], _T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._answer: Future[_T] | None = None
        self._began = 0.0

    def ask(self, limit_s: float) -> _T:
        """What it returns or raises; concurrent.futures.TimeoutError where that takes longer since it was called."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer, self._began = Future(), time.monotonic()
                threading.Thread(target=self._make, args=(self._answer,), name="card", daemon=True).start()
            answer, left = self._answer, self._began + limit_s - time.monotonic()
        return answer.result(max(0.0, left))

    def _make(self, answer: Future[_T]) -> None:
        try:
            answer.set_result(self._call())
        except BaseException as error:
            answer.set_exception(error)
