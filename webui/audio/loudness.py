"""How loud speech is: RMS over the frames that are not pauses (after ITU-R BS.1770's gate, without its filter)."""

from __future__ import annotations

import math

import numpy as np

from webui.audio.samples import Samples
from webui.audio.units import Hertz, Seconds

FRAME_SECONDS = 0.05
GATE = 10 ** (-20 / 20)  # frames so far below the loudest tenth are pauses
FLOOR_DB = -60.0  # dBFS of silence
_BINS_PER_DB = 4


class LoudnessMeter:
    """Gated RMS of a stream of mono float32 blocks, at constant memory."""

    def __init__(self, rate: Hertz, floor_db: float = FLOOR_DB) -> None:
        """`rate` in Hz; what is quieter than `floor_db` is silence."""
        self._frame = round(FRAME_SECONDS * rate)
        self._floor = 10 ** (floor_db / 20)
        self._rest = np.zeros(0, np.float32)
        self._counts = np.zeros(round(-floor_db * _BINS_PER_DB) + 1, np.int64)  # frames by level, 0 … floor_db

    def feed(self, samples: Samples) -> None:
        samples = np.concatenate((self._rest, samples))
        whole = len(samples) // self._frame * self._frame
        self._rest = samples[whole:]
        if not whole:
            return
        rms = np.sqrt(np.mean(samples[:whole].reshape(-1, self._frame).astype(np.float64) ** 2, axis=1))
        rms = rms[rms > self._floor]
        bins = np.clip(np.rint(-20 * np.log10(np.minimum(rms, 1)) * _BINS_PER_DB), 0, len(self._counts) - 1)
        self._counts += np.bincount(bins.astype(int), minlength=len(self._counts))

    def level(self) -> float | None:
        """RMS of the speech, full scale = 1; None where there was only silence."""
        total = int(self._counts.sum())
        if not total:
            return None
        powers = 10 ** (-np.arange(len(self._counts)) / _BINS_PER_DB / 10)
        loudest = int(np.searchsorted(np.cumsum(self._counts), total / 10))
        kept = np.where(powers >= powers[loudest] * GATE**2, self._counts, 0)
        return float(np.sqrt((kept * powers).sum() / kept.sum()))

    def loudest(self, seconds: Seconds = 1.0) -> float | None:
        """RMS that is reached for `seconds` in all, or for a quarter of what is shorter; None for silence.

        A few clicks do not change it, and of what lasts longer nothing is louder.
        """
        total = int(self._counts.sum())
        if not total:
            return None
        frames = min(round(seconds / FRAME_SECONDS), math.ceil(total / 4))
        loudest = int(np.searchsorted(np.cumsum(self._counts), frames))
        return float(10 ** (-loudest / _BINS_PER_DB / 20))


def speech_level(samples: Samples, rate: Hertz) -> float | None:
    """Gated RMS of a whole waveform, full scale = 1; None for silence."""
    meter = LoudnessMeter(rate)
    meter.feed(samples)
    return meter.level()
