"""FLAC that FFmpeg refuses or stops in though its sound is whole, read by libsndfile: wrong headers, tiny blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av

BLOCK_FRAMES = 65_536
MOST_LOOK_SECONDS = 10.0  # nothing is sent meanwhile, and a decoder that is silent for long is ended
_LAYOUTS = ("", "mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")


class FlacReader:
    """A FLAC file from frame `start` on. Raises ValueError for what libsndfile does not read either."""

    def __init__(self, path: Path, start: int = 0) -> None:
        with path.open("rb") as file:
            if file.read(4) != b"fLaC":
                raise ValueError("no FLAC")
        import soundfile  # seldom needed

        self._path, self._start = path, start
        self._soundfile = soundfile
        with self._opened() as sound:
            self.rate, self.channels, self.total = sound.samplerate, sound.channels, sound.frames
        if not 1 <= self.channels < len(_LAYOUTS):
            raise ValueError("too many channels")

    def is_whole(self, most_seconds: float, go_on: Callable[[float], object]) -> bool:
        """Whether everything that the header promises can be read, and within `MOST_LOOK_SECONDS`.

        `go_on`: called with the seconds read so far.
        """
        if self.total > most_seconds * self.rate:
            return False
        at, deadline = self._start, time.monotonic() + MOST_LOOK_SECONDS
        try:
            for frame in self.frames():
                at += frame.samples
                go_on(at / self.rate)
                if time.monotonic() > deadline:
                    return False
        except ValueError:
            return False
        return at == self.total > self._start

    def frames(self) -> Iterator[Any]:
        """Audio frames without time stamps, to the end or to the first that cannot be read, which raises ValueError."""
        with self._opened() as sound:
            try:
                if self._start:
                    sound.seek(self._start)
                while len(block := sound.read(BLOCK_FRAMES, dtype="int32", always_2d=True)):
                    frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), "s32", _LAYOUTS[self.channels])
                    frame.sample_rate = self.rate
                    yield frame
            except self._soundfile.SoundFileRuntimeError as error:
                raise ValueError(str(error)) from None

    def _opened(self) -> Any:
        try:
            return self._soundfile.SoundFile(self._path)
        except self._soundfile.SoundFileError as error:
            raise ValueError(str(error)) from None
