"""A source-filter vocoder in numpy: pitch (audio/pitch.py), spectral envelope and aperiodicity, and speech from them.

Everything is at RATE with a frame every HOP samples. Sources of the methods:
envelope: pitch-adaptive smoothing (Morise, "CheapTrick, a spectral envelope estimator", 2015);
synthesis: minimum-phase pulses and filtered noise, mixed by band (Kawahara's STRAIGHT, 1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from webui.audio.pitch import HIGHEST, LOWEST, Floats, track_pitch

RATE = 24_000  # Hz
HOP = 120  # samples: 5 ms
FFT = 1024
BINS = FFT // 2 + 1
BAND_EDGES = (0, 1000, 2000, 3500, 5000, 7500, 12000)  # Hz, of the aperiodicity
BANDS = len(BAND_EDGES) - 1

_UNVOICED_PITCH = 240.0  # Hz; sets the window of unvoiced frames
_NOISE_EXPONENT = 1.5
_BLOCK = 512  # frames in work at a time


@dataclass(frozen=True)
class Speech:
    """Analysed speech of n frames.

    `pitch`: (n,) Hz, 0 where unvoiced; `envelope`: (n, BINS) natural log of the power density;
    `aperiodicity`: (n, BANDS) natural log of the noise's share of a band's power, 0 where unvoiced.
    """

    pitch: Floats
    envelope: Floats
    aperiodicity: Floats

    @property
    def voiced(self) -> NDArray[np.bool_]:
        return self.pitch > 0

    @property
    def power(self) -> Floats:
        """(n,) natural log of each frame's power."""
        return np.log(np.exp(self.envelope).sum(axis=1) + 1e-14)


def analyse(samples: NDArray[np.floating]) -> Speech:
    """Pitch, envelope and aperiodicity of mono `samples` at RATE."""
    signal = np.asarray(samples, np.float64)
    if not len(signal):
        signal = np.zeros(1)
    pitch = track_pitch(signal, RATE, HOP)
    return Speech(pitch, _envelope(signal, pitch), _aperiodicity(signal, pitch))


def synthesise(speech: Speech, seed: int = 0) -> Floats:
    """Samples at RATE, HOP for each frame; the noise in them follows from `seed`."""
    noise_share = np.where(speech.voiced[:, None], _over_bins(speech.aperiodicity), 1.0)
    power = np.exp(speech.envelope)
    pulses = _pulses(speech.pitch, power * (1 - noise_share) + 1e-12)
    return pulses + _noise(power * noise_share, np.random.default_rng(seed))


def _gather(padded: Floats, centres: NDArray[np.intp], offsets: NDArray[np.intp]) -> Floats:
    return padded[centres[:, None] + offsets]


def _envelope(signal: Floats, pitch: Floats) -> Floats:
    """(n, BINS) natural log of the power density, smoothed so that no harmonic shows."""
    padded = np.pad(signal, (FFT, FFT + HOP))
    padded = padded + 1e-7 * np.random.default_rng(0).standard_normal(len(padded))  # keeps silence above zero
    voiced = pitch > 0
    adapted = np.maximum(np.where(voiced, pitch, _UNVOICED_PITCH), 1.5 * RATE / (FFT // 2 - 1))
    result = np.empty((len(pitch), BINS))
    for start in range(0, len(pitch), _BLOCK):
        block = slice(start, start + _BLOCK)
        centres = np.arange(len(pitch))[block] * HOP + FFT
        power = _windowed_power(padded, centres, adapted[block])
        power = np.where(voiced[block, None], _mirrored(power, adapted[block]), power)
        result[block] = _liftered(_smoothed(power, adapted[block]), adapted[block], voiced[block])
    return result


def _windowed_power(padded: Floats, centres: NDArray[np.intp], pitch: Floats) -> Floats:
    """Power spectra of windows three periods long, each of unit energy and without a constant part."""
    offsets = np.arange(-FFT // 2, FFT // 2)
    phase = offsets * (pitch[:, None] / (1.5 * RATE))
    window = np.where(np.abs(phase) <= 1, 0.5 + 0.5 * np.cos(np.pi * phase), 0.0)
    window /= np.sqrt((window**2).sum(axis=1, keepdims=True))
    frames = _gather(padded, centres, offsets) * window
    frames -= window * (frames.sum(axis=1) / window.sum(axis=1))[:, None]
    return np.abs(rfft(frames)) ** 2


def _mirrored(power: Floats, pitch: Floats) -> Floats:
    """Fill the gap below the fundamental with the spectrum mirrored at half of it."""
    bins = np.arange(int(HIGHEST * FFT / RATE) + 2)
    mirror = (pitch * FFT / RATE)[:, None] - bins
    low = np.clip(np.floor(mirror).astype(np.intp), 0, BINS - 2)
    weight = mirror - low
    rows = np.arange(len(power))[:, None]
    added = power[rows, low] * (1 - weight) + power[rows, low + 1] * weight
    filled = power.copy()
    filled[:, : len(bins)] += np.where(mirror >= 0, added, 0.0)
    return filled


def _smoothed(power: Floats, pitch: Floats) -> Floats:
    """Mean power over two thirds of the pitch around each bin."""
    mirrored = np.hstack([power[:, :0:-1], power, power[:, -2::-1]])
    total = np.cumsum(mirrored, axis=1)
    half = (pitch * FFT / RATE / 3)[:, None]
    centre = np.arange(BINS) + BINS - 1 - 0.5
    rows = np.arange(len(power))[:, None]

    def up_to(place: Floats) -> Floats:
        low = np.floor(place).astype(np.intp)
        weight = place - low
        return total[rows, low] * (1 - weight) + total[rows, low + 1] * weight

    return (up_to(centre + half) - up_to(centre - half)) / (2 * half) + 1e-12


def _liftered(power: Floats, pitch: Floats, voiced: NDArray[np.bool_]) -> Floats:
    """Log power with the last ripple of the harmonics taken out of the cepstrum (Morise 2015, q1 = -0.15).

    What the smoothing took from the peaks is given back to voiced frames only: in noise it would raise the level.
    """
    quefrency = np.arange(BINS) * (pitch[:, None] / RATE)
    sharpening = np.where(voiced, 0.3, 0.0)[:, None]
    lifter = np.sinc(quefrency) * (1 + sharpening - sharpening * np.cos(2 * np.pi * quefrency))
    cepstrum = irfft(np.log(power), FFT)[:, :BINS] * lifter
    return rfft(np.hstack([cepstrum, cepstrum[:, -2:0:-1]])).real


def _aperiodicity(signal: Floats, pitch: Floats) -> Floats:
    """(n, BANDS): how unlike the next period each band is, as the log of a share; 0 where unvoiced.

    The correlation r of two neighbouring periods of a band would give its noise share as 1 - r; the exponent makes
    up for what a changing pitch adds and was chosen on copies of real speech.
    """
    result = np.zeros((len(pitch), BANDS))
    voiced = np.flatnonzero(pitch > 0)
    spectrum = rfft(signal)
    frequency = np.arange(len(spectrum)) * RATE / max(len(signal), 1)
    for band, (low, high) in enumerate(pairwise(BAND_EDGES)):
        filtered = irfft(np.where((frequency >= low) & (frequency < high), spectrum, 0), len(signal))
        padded = np.pad(filtered, RATE // 10)
        for start in range(0, len(voiced), _BLOCK):
            frames = voiced[start : start + _BLOCK]
            likeness = _period_likeness(padded, frames * HOP + RATE // 10, RATE / pitch[frames])
            result[frames, band] = _NOISE_EXPONENT * np.log(np.clip(1 - likeness, 0.001, 1.0))
    return result


def _period_likeness(padded: Floats, centres: NDArray[np.intp], period: Floats) -> Floats:
    """Correlation of two periods around each centre with themselves one period later."""
    longest = int(2 * RATE / LOWEST)
    offsets = np.arange(longest)
    inside = offsets < (2 * period)[:, None]
    start = centres - period.astype(np.intp) - period.astype(np.intp) // 2
    whole = period.astype(np.intp)
    weight = (period - whole)[:, None]
    here = np.where(inside, _gather(padded, start, offsets), 0.0)
    later = _gather(padded, start + whole, np.arange(longest + 1))
    later = np.where(inside, later[:, :-1] * (1 - weight) + later[:, 1:] * weight, 0.0)
    energy = np.sqrt((here**2).sum(axis=1) * (later**2).sum(axis=1))
    return (here * later).sum(axis=1) / (energy + 1e-9)


def _over_bins(aperiodicity: Floats) -> Floats:
    """(n, BINS) noise share of the power from (n, BANDS), interpolated in the log between the bands' centres."""
    edges = np.asarray(BAND_EDGES, float)
    places = np.concatenate([[0.0], (edges[:-1] + edges[1:]) / 2, [RATE / 2]])
    frequency = np.linspace(0, RATE / 2, BINS)
    weights = np.stack([np.interp(frequency, places, unit) for unit in np.eye(len(places))])
    lowest = np.full((len(aperiodicity), 1), _NOISE_EXPONENT * np.log(0.001))
    return np.exp(np.hstack([lowest, aperiodicity, aperiodicity[:, -1:]]) @ weights)


def _pulses(pitch: Floats, power: Floats) -> Floats:
    """One minimum-phase pulse a period, placed to a fraction of a sample."""
    count = len(pitch) * HOP
    output = np.zeros(count + FFT)
    places, fractions, frames = _pulse_places(pitch)
    turn = -2j * np.pi * np.arange(BINS) / FFT
    for start in range(0, len(places), _BLOCK):
        block = slice(start, start + _BLOCK)
        chosen = frames[block]
        response = _minimum_phase(power[chosen]) * np.exp(turn * -fractions[block, None])
        shapes = irfft(response, FFT) * np.sqrt(RATE / pitch[chosen])[:, None]
        for place, shape in zip(places[block], shapes, strict=True):
            output[place : place + FFT] += shape
    return output[:count]


def _pulse_places(pitch: Floats) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Where pulses fall: sample index, the fraction of a sample by which each is early, and its (voiced) frame."""
    voiced = np.flatnonzero(pitch > 0)
    nothing = np.zeros(0, np.intp)
    if not len(voiced):
        return nothing, np.zeros(0), nothing
    time = np.arange(len(pitch) * HOP) / HOP
    nearest = np.minimum((time + 0.5).astype(np.intp), len(pitch) - 1)
    frequency = np.where(pitch[nearest] > 0, np.interp(time, voiced, pitch[voiced]), 0.0)
    phase = np.cumsum(frequency) / RATE
    places = np.flatnonzero((np.floor(phase[1:]) > np.floor(phase[:-1])) & (frequency[1:] > 0)) + 1
    fractions = np.mod(phase[places], 1) / (frequency[places] / RATE)
    return places, fractions, nearest[places]


def _minimum_phase(power: Floats) -> NDArray[np.complex128]:
    """The minimum-phase response (n, BINS) whose power this is, through the folded cepstrum."""
    cepstrum = irfft(np.log(power) / 2, FFT)
    cepstrum[:, 1 : FFT // 2] *= 2
    cepstrum[:, FFT // 2 + 1 :] = 0
    return np.exp(rfft(cepstrum))


def _noise(power: Floats, generator: np.random.Generator) -> Floats:
    """Noise of that power density, filtered frame by frame with zero phase."""
    count = len(power)
    white = generator.standard_normal((count + 1) * HOP)
    window = np.sin(np.pi * (np.arange(2 * HOP) + 0.5) / (2 * HOP)) ** 2  # halves overlap to one
    grains = np.lib.stride_tricks.sliding_window_view(white, 2 * HOP)[::HOP] * window
    output = np.zeros(count * HOP + FFT)
    before = (FFT - 2 * HOP) // 2
    for start in range(0, count, _BLOCK):
        block = np.pad(grains[start : start + _BLOCK], ((0, 0), (before, FFT - 2 * HOP - before)))
        filtered = irfft(rfft(block) * np.sqrt(power[start : start + _BLOCK]), FFT)
        for index, shape in enumerate(filtered, start):
            output[index * HOP : index * HOP + FFT] += shape
    return output[FFT // 2 :][: count * HOP]
