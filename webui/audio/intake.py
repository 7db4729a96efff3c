"""Taking in recordings: whatever a phone, recorder or video tool writes becomes int16 blocks at one rate.

FFmpeg (through PyAV) runs in a child process (`decoder_child.py`) that has given up what decoding does not
need, opens files by path only, and knows no format that names other files. A child that crashes, hangs or
turns hostile costs one file, never the process that holds the models.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.audio.formats import Channels
from webui.audio.sniffing import EIGHT_BIT_TEXT, Sniffed, is_cut_off_mp4, sniff
from webui.audio.units import Hertz, Seconds
from webui.errors import Notice, UserError
from webui.settings import Settings

log = logging.getLogger(__name__)

SILENCE_SECONDS = 30.0  # without output for so long, the child is killed
MOST_PROBES = 2  # files looked at together when they are submitted; further ones wait
MOST_IDLE = MOST_PROBES  # children kept for the next file: starting one costs more than a look at a file
FILES_PER_CHILD = 100
# Isolated, the child knows no path of ours: it is told where the package lies.
START = "import sys; sys.path.append(sys.argv[1]); from webui.audio import decoder_child; decoder_child.main()"
MOST_MESSAGE = 64 << 20  # bytes; a longer one is no answer of ours

# Telephone recordings without any header: only the name tells.
HEADERLESS = {".al": "alaw", ".alaw": "alaw", ".ul": "mulaw", ".ulaw": "mulaw"}
_MAY_BE_HEADERLESS = {"BINARY", "MPEG", EIGHT_BIT_TEXT}  # what their silence looks like

Block = NDArray[np.int16]


@dataclass(frozen=True)
class AudioInfo:
    """What a recording says it is. `rate` in Hz; `seconds` by its header (headers lie), None where it has none."""

    container: str
    codec: str
    rate: Hertz
    channels: int
    seconds: Seconds | None
    streams: int
    stream: int  # of them the one that is decoded, from 0


class DecoderStopped(Exception):
    """The child ended, hung or broke the protocol."""


class Decoder:
    """Opens recordings in child processes. Safe to use from several threads; `close()` at the end."""

    def __init__(self, settings: Settings) -> None:
        self.most_seconds = settings.max_audio_hours * 3600
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._probes = threading.BoundedSemaphore(MOST_PROBES)

    def probe(self, path: Path, name: str) -> AudioInfo:
        """Open the file and decode its first frame. `name`: the user's name for it, for the wording.

        Raises UserError: NOT_AUDIO, UNSUPPORTED_FORMAT, NO_AUDIO_STREAM, EMPTY_AUDIO, TRUNCATED, BAD_AUDIO,
        MISSING_INPUT, DECODER_FAILED.
        """
        with self._probes, Decoding(self, path, name, "mix", 16_000, probing=True) as decoding:
            for _ in decoding:
                raise UserError("DECODER_FAILED", file=name)
            return decoding.info

    def decode(
        self,
        path: Path,
        name: str,
        channels: Channels = "mix",
        rate: Hertz = 16_000,
        *,
        stream: int | None = None,
        on_the_clock: bool = False,
    ) -> Decoding:
        """Decode to `rate` Hz; `mix` gives one channel, `split` those of the recording.

        `stream`: the sound track, from 0; None for the default one. `on_the_clock`: silence where the recording has
        none by its container's clock, before the sound and in holes.
        Raises what `probe` raises, here or while iterating, and TOO_LONG.
        """
        return Decoding(self, path, name, channels, rate, stream=stream, on_the_clock=on_the_clock)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    def _take(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Child()

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if child.files < FILES_PER_CHILD and len(self._idle) < MOST_IDLE:
                self._idle.append(child)
                return
        child.kill()


class Decoding:
    """One file being decoded: a context manager and an iterator of int16 blocks, shape (frames, channels).

    `info` is there from the start, `warnings` are complete at the end.
    A file that breaks off delivers what could be read, with TRUNCATED_WARNING.
    """

    def __init__(
        self,
        decoder: Decoder,
        path: Path,
        name: str,
        channels: str,
        rate: Hertz,
        *,
        probing: bool = False,
        stream: int | None = None,
        on_the_clock: bool = False,
    ) -> None:
        self.warnings: list[Notice] = []
        self._decoder = decoder
        self._path = path
        self._name = name
        self._child: _Child | None = None
        self._format = HEADERLESS.get(Path(name).suffix.lower())
        self._sniffed = self._refuse_by_content()
        request = {
            "path": str(path.absolute()),
            "format": self._format if self._sniffed.kind == "unknown" else None,
            "rate": rate,
            "channels": channels,
            "most_seconds": decoder.most_seconds,
            "probe": probing,
            "stream": stream,
            "on_the_clock": on_the_clock,
        }
        self.info = self._start(request)

    def __enter__(self) -> Decoding:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Block]:
        while self._child is not None:
            kind, payload = self._read()
            if kind == b"z":
                self.warnings += [Notice(code, params) for code, params in json.loads(payload)]
                self._release()
            elif kind == b"p":
                yield self._block(payload)
            else:
                raise self._failed("unexpected message")

    def close(self) -> None:
        """Stop; a child in the middle of a file is ended."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _block(self, payload: bytearray) -> Block:
        channels = int.from_bytes(payload[:2], "big")
        samples = np.frombuffer(payload, np.int16, offset=2) if len(payload) % 2 == 0 else np.zeros(1, np.int16)
        if not channels or len(samples) % channels:
            raise self._failed("broken block")
        return samples.reshape(-1, channels)

    def _refuse_by_content(self) -> Sniffed:
        try:
            sniffed = sniff(self._path)
        except OSError:
            raise UserError("MISSING_INPUT") from None
        if self._format and sniffed.name in _MAY_BE_HEADERLESS:
            return Sniffed("unknown", "BINARY")
        if sniffed.kind == "empty":
            raise UserError("EMPTY_AUDIO", file=self._name)
        if sniffed.kind == "unsupported":
            raise UserError("UNSUPPORTED_FORMAT", file=self._name, sniffed=sniffed.name)
        if sniffed.kind == "other":
            raise UserError("NOT_AUDIO", file=self._name, sniffed=sniffed.name)
        return sniffed

    def _start(self, request: dict[str, Any]) -> AudioInfo:
        self._child = self._decoder._take()
        try:
            self._child.ask(request)
        except DecoderStopped:  # it died while idle
            self.close()
            self._child = _Child()
            self._child.ask(request)
        kind, payload = self._read()
        if kind != b"i":
            raise self._failed("no description")
        try:
            return AudioInfo(**json.loads(payload))
        except (TypeError, ValueError):
            raise self._failed("bad description") from None

    def _read(self) -> tuple[bytes, bytearray]:
        """The next message; an error message is raised as what it says."""
        assert self._child is not None
        try:
            kind, payload = self._child.read()
        except DecoderStopped as stopped:
            raise self._failed(str(stopped), self._child.was_over_cpu_limit()) from None
        if kind != b"e":
            return kind, payload
        self._release()
        error = Notice.from_stored(json.loads(payload))
        raise self._worded(error.code, dict(error.params))

    def _failed(self, reason: str, bad_file: bool = False) -> UserError:
        log.warning("decoder stopped: %s", reason)
        self.close()
        return UserError("BAD_AUDIO" if bad_file else "DECODER_FAILED", file=self._name)

    def _release(self) -> None:
        if self._child is not None:
            self._decoder._give_back(self._child)
            self._child = None

    def _worded(self, code: str, params: dict[str, Any]) -> UserError:
        """The child's code as the user's: what could not be opened depends on what the bytes looked like."""
        if "detail" in params:
            log.info("not decoded: %s", params.pop("detail"))
        if code == "CANNOT_OPEN":
            if self._sniffed.kind == "unknown":
                return UserError("NOT_AUDIO", file=self._name, sniffed=self._sniffed.name)
            cut = self._sniffed.name == "MP4" and is_cut_off_mp4(self._path)
            code = "TRUNCATED" if cut else "BAD_AUDIO"
        if code == "TOO_LONG":
            params = {"hours": round(self._decoder.most_seconds / 3600, 2)}
        return UserError(code, file=self._name, **params)


class _Child:
    """A decoding process and its two pipes."""

    def __init__(self) -> None:
        self.files = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", START, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            bufsize=0,
            env=_environment(),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input = self._process.stdin
        self._output = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)

    def ask(self, request: dict[str, Any]) -> None:
        self.files += 1
        try:
            self._input.write(json.dumps(request).encode() + b"\n")
        except OSError:
            raise DecoderStopped("ended while idle") from None

    def read(self) -> tuple[bytes, bytearray]:
        """The next message (kind, payload). Raises DecoderStopped."""
        kind, length = struct.unpack(">cI", self._exactly(5))
        if length > MOST_MESSAGE:
            raise DecoderStopped("broken message")
        return kind, self._exactly(length)

    def was_over_cpu_limit(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(1) == -signal.SIGXCPU
        return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        deadline = time.monotonic() + SILENCE_SECONDS
        while view:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise DecoderStopped(f"no output for {SILENCE_SECONDS:.0f} s")
            got = os.readv(self._output, [view])
            if got == 0:
                raise DecoderStopped("ended")
            view = view[got:]
        return data


def _environment() -> dict[str, str]:
    """One thread per numeric library; of ours only where shared libraries are."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **kept}
