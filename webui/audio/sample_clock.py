"""The container's clock kept in samples: silence where its time stamps leave a hole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av

JITTER_SECONDS = 0.05  # of time stamps that are rounded, or behind a codec's delay: no hole
MOST_SECONDS = 1800.0  # of one hole
MOST_SECONDS_IN_ALL = 3600.0
MOST_JUMP_SECONDS = 10.0  # of a transport stream, which may start another clock at any time, as FFmpeg's own limit
BACK_SECONDS = 1.0  # a step back further than this is another clock too


class SampleClock:
    """Puts silence before and between frames, so that each sounds at its time since the container's start.

    Frames without a time stamp, and what lies further apart than the limits, follow each other directly.
    """

    def __init__(self) -> None:
        self.late_by = 0.0  # seconds of silence before the first frame
        self._filled = 0.0  # seconds of silence in all
        self._at = 0.0  # seconds: the end of what was given
        self._zero: float | None = None  # the time stamp of sample 0

    def kept(self, frames: Iterator[Any], container: Any) -> Iterator[Any]:
        """The audio frames of `container` with frames of silence among them."""
        if container.start_time is not None:
            self._zero = container.start_time / av.time_base
        most = MOST_SECONDS
        for frame in frames:
            if frame.sample_rate > 0:
                yield from self._silence(frame, most)
                self._at += frame.samples / frame.sample_rate
                most = MOST_JUMP_SECONDS if container.format.flags & av.format.Flags.ts_discont.value else MOST_SECONDS
            yield frame

    def _silence(self, frame: Any, most: float) -> Iterator[Any]:
        """What is missing before `frame`, in the shape of that frame."""
        if frame.time is None:
            return
        if self._zero is None:
            self._zero = frame.time
        hole = frame.time - self._zero - self._at
        if hole < -BACK_SECONDS or hole > min(most, MOST_SECONDS_IN_ALL - self._filled):
            self._zero = frame.time - self._at
        elif hole > JITTER_SECONDS:
            self._filled += hole
            self.late_by += hole if self._at == 0 else 0
            self._at += hole
            yield from _silent_frames(frame, round(hole * frame.sample_rate))


def _silent_frames(like: Any, samples: int) -> Iterator[Any]:
    while samples > 0:
        frame = av.AudioFrame(like.format, like.layout, min(samples, like.sample_rate))
        frame.sample_rate = like.sample_rate
        rest = b"\x80" if like.format.name in ("u8", "u8p") else b"\0"
        for plane in frame.planes:
            plane.update(rest * plane.buffer_size)
        samples -= frame.samples
        yield frame
