"""Sentences that can be heard while they are made: their raw samples in a file that grows beside the segment's WAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from webui.audio.samples import Samples

BLOCK = 2**18  # bytes read at once
WIDTH = np.dtype("<f4").itemsize


def segment_name(idx: int) -> str:
    """The WAV of a segment, below its job's folder of outputs."""
    return f"segments/{idx:05d}.wav"


def live_file(segment: Path) -> Path:
    """Where the samples of a segment stand while it is made; `segment` is its WAV."""
    return segment.with_suffix(".live")


class LiveWriter:
    """Begins the file anew, in its place: whoever reads it goes on where it was."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, samples: Samples) -> None:
        """`samples`: float32, shape (n,); they can be read when this returns."""
        self._file.write(samples.astype("<f4").tobytes())
        self._file.flush()

    def __enter__(self) -> LiveWriter:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._file.close()


class LiveReader:
    """Reads on where it was; holds the file, which may be removed meanwhile."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError."""
        self._file = path.open("rb")
        self._read = 0

    def new(self) -> Iterator[Samples]:
        """What was written since the last time: float32, in blocks of shape (n,)."""
        while True:
            self._file.seek(self._read)
            data = self._file.read(BLOCK)
            whole = len(data) // WIDTH * WIDTH
            if not whole:
                return
            self._read += whole
            yield np.frombuffer(data[:whole], "<f4")

    def close(self) -> None:
        self._file.close()
