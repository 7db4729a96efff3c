"""Changing the sample rate of a stream, block by block (soxr, high quality)."""

from __future__ import annotations

import numpy as np
import soxr

from webui.audio.samples import Samples
from webui.audio.units import Hertz


class Resampler:
    """Mono float32 blocks from one rate (Hz) to another; equal rates pass through."""

    def __init__(self, from_rate: Hertz, to_rate: Hertz) -> None:
        same = from_rate == to_rate
        self._stream = None if same else soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")

    def feed(self, samples: Samples) -> Samples:
        """What is ready so far; the filter's delay comes with later blocks."""
        return samples if self._stream is None else self._stream.resample_chunk(_plain(samples))

    def finish(self) -> Samples:
        """The rest."""
        empty = np.zeros(0, np.float32)
        return empty if self._stream is None else self._stream.resample_chunk(empty, last=True)


def resample(samples: Samples, from_rate: Hertz, to_rate: Hertz) -> Samples:
    """A whole waveform at once, shape (n,)."""
    return samples if from_rate == to_rate else soxr.resample(_plain(samples), from_rate, to_rate, quality="HQ")


def _plain(samples: Samples) -> Samples:
    return np.ascontiguousarray(samples, np.float32)
