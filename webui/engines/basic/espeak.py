"""The espeak-ng worker process, started when first needed and again when it dies."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import logging
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from webui.engines.base import EngineError, Waveform

log = logging.getLogger(__name__)

TIME_LIMIT_S = 60  # of one request; a sentence takes some 0.1 s
_WORKER = Path(__file__).with_name("espeak_worker.py")


class WorkerDied(Exception):
    """The worker ended, or was ended for taking too long, before its answer was complete."""


class Espeak:
    """Text to raw speech and to phonemes. Threads may share one; their requests queue up.

    `library` and `data` name a particular espeak-ng; without them the installed package's is tried, then the
    system's. Methods raise EngineError: ESPEAK_MISSING where none can be loaded.
    """

    def __init__(self, library: Path | None = None, data: Path | None = None) -> None:
        self._library, self._data = library, data
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    def speak(self, text: str, voice: str, rate: int, pitch: int = 50) -> Waveform:
        """`text`, which may hold `[[phonemes]]`, in an espeak voice; rate in words per minute (80 to 450)."""
        head, samples = self._ask({"op": "speak", "voice": voice, "text": text, "rate": rate, "pitch": pitch})
        return Waveform(np.frombuffer(samples, "<i2").astype(np.float32) / np.float32(32768), head["rate"])

    def phonemes(self, texts: Sequence[str], voice: str) -> list[str]:
        """espeak's phoneme mnemonics of each text."""
        return list(self._ask({"op": "phonemes", "voice": voice, "texts": list(texts)})[0]["phonemes"])

    def version(self) -> str:
        """The library's version; starts the worker."""
        with self._lock:
            return self._running().version

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            try:
                return self._running().ask(request)
            except WorkerDied:
                log.warning("the espeak-ng worker ended in a request; it is started again")
                self._drop()
            try:
                return self._running().ask(request)
            except WorkerDied:
                self._drop()
                raise EngineError("ENGINE_FAILED", "espeak-ng ended twice on one text") from None

    def _running(self) -> _Worker:
        if self._worker is None:
            self._worker = self._started()
        return self._worker

    def _started(self) -> _Worker:
        reasons = []
        for library, data in _candidates(self._library, self._data):
            try:
                return _Worker(library, data)
            except (WorkerDied, OSError) as error:
                reasons.append(f"{library}: {error}")
        log.error("no espeak-ng can be loaded: %s", "; ".join(reasons) or "none is installed")
        raise EngineError("ESPEAK_MISSING")

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None


class _Worker:
    """One worker process. Raises WorkerDied when it does not start."""

    def __init__(self, library: str, data: str) -> None:
        # -I -S: the worker needs the standard library only.
        command = [sys.executable, "-I", "-S", str(_WORKER), library, data]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # its forks end with it, and Ctrl-C does not reach it
        )
        try:
            head, _ = self._answer()
        except WorkerDied:
            self.end()
            raise
        if "error" in head:
            self.end()
            raise WorkerDied(head["error"])
        self.version = str(head["version"])

    def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer's head and samples. Raises WorkerDied, or EngineError for a refused request."""
        encoded = json.dumps(request).encode()
        try:
            self._input.write(struct.pack("<I", len(encoded)) + encoded)
            self._input.flush()
        except OSError as error:
            raise WorkerDied(str(error)) from None
        head, samples = self._answer()
        if "error" in head:
            raise EngineError("ENGINE_FAILED", head["error"])
        return head, samples

    def end(self) -> None:
        self._kill()
        self.process.wait()
        for stream in (self._input, self._output):
            try:
                stream.close()
            except OSError:  # what was still unsent is lost with the process
                log.debug("the worker's pipe was already closed")

    def _kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def _input(self) -> BinaryIO:
        assert self.process.stdin is not None
        return self.process.stdin  # type: ignore[return-value]

    @property
    def _output(self) -> BinaryIO:
        assert self.process.stdout is not None
        return self.process.stdout  # type: ignore[return-value]

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        limit = threading.Timer(TIME_LIMIT_S, self._kill)
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
