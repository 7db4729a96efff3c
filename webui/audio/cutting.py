"""Cutting a waveform that is too long for a model, where it is quietest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from webui.audio.units import Hertz, Seconds

FRAME_SECONDS = 0.02  # over which it is measured how quiet a place is

Sound = TypeVar("Sound", NDArray[np.float32], NDArray[np.float64])


def quietest(samples: Sound, rate: Hertz) -> int:
    """The index of the middle of the quietest 20 ms of `samples` (n,), which hold at least as much; `rate` in Hz."""
    frame = round(FRAME_SECONDS * rate)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    return int(np.square(frames, dtype=np.float64).sum(axis=1).argmin()) * frame + frame // 2


def pieces(samples: Sound, rate: Hertz, most: Seconds, search: Seconds) -> Iterator[Sound]:
    """`samples` in pieces of at most `most` seconds, each cut at the quietest place of its last `search` seconds."""
    longest, late = int(most * rate), int(search * rate)
    while len(samples) > longest:
        end = longest - late + quietest(samples[longest - late : longest], rate)
        yield samples[:end]
        samples = samples[end:]
    if len(samples):
        yield samples
