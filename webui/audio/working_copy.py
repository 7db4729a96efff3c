"""The working copy of a recording: a 16-bit PCM WAV that engines read piece by piece and every browser plays."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from webui.audio.durable import move_into_place, part_of
from webui.audio.riff import HEADER_BYTES, data_chunk, header
from webui.audio.samples import to_float32, to_int16
from webui.audio.units import Hertz, Seconds

MOST_BYTES = 2**32 - 1 - HEADER_BYTES  # of samples; RIFF counts in 32 bits


class WorkingCopyWriter:
    """Writes beside the target and moves it into place at the end, so that a half-written copy is never seen.

    A context manager: leaving it with an exception removes what was written.
    """

    def __init__(self, path: Path, rate: Hertz = 16_000, channels: int = 1) -> None:
        self.path = path
        self.rate = rate
        self.channels = channels
        self.frames = 0
        self._part = part_of(path)
        self._file = self._part.open("wb")
        self._file.write(header(rate, channels, 0))

    @property
    def seconds(self) -> Seconds:
        return self.frames / self.rate

    def write(self, block: NDArray[np.int16] | NDArray[np.float32]) -> None:
        """`block`: int16 or float32 in -1…1, shape (frames, channels), or (frames,) for one channel.

        Raises ValueError beyond 4 GB.
        """
        frames = np.reshape(block if block.dtype == np.int16 else to_int16(block), (-1, self.channels))
        self.frames += len(frames)
        if self.frames * self.channels * 2 > MOST_BYTES:
            raise ValueError("a WAV file cannot hold more than 4 GB")
        self._file.write(np.ascontiguousarray(frames, "<i2").data)

    def close(self) -> None:
        """Complete the header, flush to the disk and move into place."""
        self._file.seek(0)
        self._file.write(header(self.rate, self.channels, self.frames * self.channels * 2))
        self._file.close()
        move_into_place(self._part, self.path)

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # a full disk does not take what is still to be written
            self._file.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> WorkingCopyWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if self._file.closed:
            return
        if kind is None:
            self.close()
        else:
            self.discard()


class WorkingCopy:
    """Random access to a working copy, by reading: mapped pages would count as the memory of the program."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, or ValueError for a file that no `WorkingCopyWriter` made."""
        chunk = data_chunk(path)
        self.rate = chunk.rate
        self.channels = chunk.channels
        self._path = path
        self._offset = chunk.offset
        self._frames = chunk.length // (2 * chunk.channels)

    @property
    def seconds(self) -> Seconds:
        return self._frames / self.rate

    def read(self, start: Seconds, end: Seconds, channel: int = 0) -> NDArray[np.float32]:
        """Seconds `start` to `end` (cut to the recording) of one channel as float32 in -1…1, shape (n,).

        Raises OSError where the file is gone.
        """
        first, last = (min(max(0, round(at * self.rate)), self._frames) for at in (start, end))
        count = max(0, last - first) * self.channels
        samples = np.fromfile(self._path, "<i2", count, offset=self._offset + 2 * self.channels * first)
        return to_float32(samples[channel :: self.channels])
