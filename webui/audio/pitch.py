"""The pitch of a voice, frame by frame: normalised cross-correlation and dynamic programming.

After Talkin, "A robust algorithm for pitch tracking" (1995).
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.fft import irfft, rfft
from numpy.typing import NDArray

from webui.audio.units import Hertz

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 65.0, 450.0  # Hz, of the voice

_RATE = 8_000  # Hz, at which periods are looked for
_CANDIDATES = 6
_UNVOICED_COST = 0.6


def track_pitch(signal: Floats, rate: Hertz, hop: int) -> Floats:
    """(n,) the fundamental frequency in Hz, 0 where unvoiced, of a frame every `hop` samples of mono `signal`."""
    correlation, power = _correlation(signal, rate, hop)
    score, lag = _candidates(correlation)
    loudness = np.log(power + 1e-9)
    quiet = loudness < np.percentile(loudness, 95) - 8
    cost = np.where(score > 0, 1 - score + 0.0008 * lag, 3.0)
    cost = np.hstack([cost, np.where(quiet, 0.0, _UNVOICED_COST)[:, None]])
    path = _cheapest_path(cost, np.log2(_RATE / lag))
    chosen = np.take_along_axis(lag, np.minimum(path, _CANDIDATES - 1)[:, None], axis=1)[:, 0]
    return np.where(path == _CANDIDATES, 0.0, _RATE / chosen)


def _correlation(signal: Floats, rate: Hertz, hop: int) -> tuple[Floats, Floats]:
    """Normalised cross-correlation of 30 ms windows with what follows, (n, lags), and the windows' power (n,)."""
    window = int(0.03 * _RATE)
    longest, size = int(_RATE / LOWEST) + 2, 1024
    low = soxr.resample(signal, rate, _RATE)
    low = np.pad(low, (window + longest, window + 2 * longest + size))
    centres = np.arange(len(signal) // hop + 1) * hop * _RATE // rate + window + longest
    offsets = np.arange(window + longest) - (window + longest) // 2
    frames = low[centres[:, None] + offsets]
    frames -= frames.mean(axis=1, keepdims=True)
    cross = irfft(np.conj(rfft(frames[:, :window], size)) * rfft(frames, size), size)[:, :longest]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    energy = energy[:, window : window + longest] - energy[:, :longest]
    first = energy[:, :1]
    normalised = cross / np.sqrt(first * energy + 1e-4 * first.max(initial=0.0) + 1e-9)
    normalised[:, : int(_RATE / HIGHEST)] = -1
    return normalised, first[:, 0]


def _candidates(correlation: Floats) -> tuple[Floats, Floats]:
    """The best peaks of each frame: their height (-1 = none) and their lag in samples, refined by a parabola."""
    middle = correlation[:, 1:-1]
    peak = (middle > correlation[:, :-2]) & (middle >= correlation[:, 2:])
    preferring_short = np.where(peak, middle - 0.0006 * np.arange(1, correlation.shape[1] - 1), -1.0)
    place = np.argsort(-preferring_short, axis=1)[:, :_CANDIDATES] + 1
    found = np.take_along_axis(preferring_short, place - 1, axis=1) > -0.5
    before, here, after = (np.take_along_axis(correlation, place + step, axis=1) for step in (-1, 0, 1))
    curvature = before - 2 * here + after
    safe = np.where(np.abs(curvature) > 1e-6, curvature, 1.0)
    shift = np.where(np.abs(curvature) > 1e-6, 0.5 * (before - after) / safe, 0.0)
    return np.where(found, here, -1.0), place + np.clip(shift, -0.5, 0.5)


def _cheapest_path(cost: Floats, octave: Floats) -> NDArray[np.intp]:
    """(n,) the state of each frame: the index of a candidate, or _CANDIDATES for unvoiced (Viterbi).

    `cost`: (n, _CANDIDATES + 1) of each state; `octave`: (n, _CANDIDATES) log2 of the candidates' frequency.
    """
    count, states = cost.shape
    change = np.zeros((count, states, states))
    change[1:, :-1, :-1] = np.minimum(1.5 * np.abs(octave[:-1, :, None] - octave[1:, None, :]), 1.0)
    change[:, :-1, -1] = change[:, -1, :-1] = 0.12
    total, came_from = cost[0], np.zeros((count, states), np.intp)
    columns = np.arange(states)
    for frame in range(1, count):
        reached = total[:, None] + change[frame]
        came_from[frame] = reached.argmin(axis=0)
        total = reached[came_from[frame], columns] + cost[frame]
    path = np.empty(count, np.intp)
    state = int(total.argmin())
    for frame in range(count - 1, -1, -1):
        path[frame] = state
        state = came_from[frame, state]
    return path
