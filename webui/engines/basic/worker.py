"""A worker process of the basic engine, spoken to over its standard input and output.

A message is a little-endian uint32 length, so many bytes of JSON, and as many bytes as its `bytes` says. The first one
comes from the worker unasked. What a native library does in it, crash, keep global state or hold the interpreter's
lock for seconds, it does there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from webui.engines.base import EngineError

log = logging.getLogger(__name__)

START_LIMIT_S = 60


class WorkerDied(Exception):
    """The worker ended, or was ended for taking too long, before its answer was complete."""


class Worker:
    """`greeting`: its first message. Raises WorkerDied when it does not start."""

    def __init__(self, script: Path, *arguments: str, options: Sequence[str] = ("-I",)) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *options, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # its forks end with it, and Ctrl-C does not reach it
        )
        try:
            self.greeting, _ = self._answer(START_LIMIT_S)
        except WorkerDied:
            self.end()
            raise
        if "error" in self.greeting:
            self.end()
            raise WorkerDied(self.greeting["error"])

    def ask(self, request: dict[str, Any], payload: bytes = b"", limit_s: float = 60) -> tuple[dict[str, Any], bytes]:
        """The answer's head and bytes. Raises WorkerDied, or EngineError for a refused request."""
        encoded = json.dumps({**request, "bytes": len(payload)}).encode()
        limit = threading.Timer(limit_s, self.kill)
        limit.start()
        try:
            self._input.write(struct.pack("<I", len(encoded)) + encoded + payload)
            self._input.flush()
        except OSError as error:
            raise WorkerDied(str(error)) from None
        finally:
            limit.cancel()
        head, data = self._answer(limit_s)
        if "error" in head:
            raise EngineError("ENGINE_FAILED", head["error"])
        return head, data

    def kill(self) -> None:
        """Whatever it does; an answer that somebody waits for does not come."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self.process.wait()
        for stream in (self._input, self._output):
            try:
                stream.close()
            except OSError:  # what was still unsent is lost with the process
                log.debug("the worker's pipe was already closed")

    @property
    def _input(self) -> BinaryIO:
        assert self.process.stdin is not None
        return self.process.stdin  # type: ignore[return-value]

    @property
    def _output(self) -> BinaryIO:
        assert self.process.stdout is not None
        return self.process.stdout  # type: ignore[return-value]

    def _answer(self, limit_s: float) -> tuple[dict[str, Any], bytes]:
        limit = threading.Timer(limit_s, self.kill)
        limit.start()
        try:
            (length,) = struct.unpack("<I", self._read(4))
            head = json.loads(self._read(length))
            return head, self._read(head.get("bytes", 0))
        finally:
            limit.cancel()

    def _read(self, count: int) -> bytes:
        data = self._output.read(count)
        if len(data) < count:
            raise WorkerDied("the worker ended")
        return data
