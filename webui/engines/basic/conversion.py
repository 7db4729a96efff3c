"""Giving speech the timbre and the pitch of a short prompt, without training.

Envelopes are compared as mel cepstra. A global map brings their mean and spread to the prompt's; then each
frame moves by `similarity` towards the mean of its nearest frames in the prompt (k nearest neighbours, as in
Baas et al., "Voice conversion with just nearest neighbors", 2023, on cepstra in place of learnt features).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import dct, idct
from scipy.ndimage import uniform_filter1d

from webui.audio import cutting
from webui.audio.units import Hertz
from webui.engines.base import Waveform
from webui.engines.basic.vocoder import BINS, RATE, Floats, Speech, analyse, synthesise

CEPSTRA = 60
PIECE_S = 20
LEAST_VOICED = 40  # frames; less than that tells nothing about a voice

_MELS = 160
_ACTIVE_RANGE = 7.0  # natural log of power below the loud frames: 30 dB
_NEIGHBOURS = 6
_LEAST_FRAMES = 60  # of a kind, for neighbours to be found
_SPREAD = 0.7  # how much of the prompt's spread of cepstra is taken on
_PITCH_SPREAD = 0.8  # the same for the pitch
_PEAK = 0.97
_LEVELS = (0.03, 0.3)  # of speech that can be listened to
_BLOCK = 2048  # frames compared at a time

Mask = NDArray[np.bool_]


class NoVoice(Exception):
    """The prompt holds fewer than LEAST_VOICED voiced frames."""


@dataclass(frozen=True)
class Timbre:
    """What is kept of a prompt of n frames.

    `cepstra`: (n, CEPSTRA) mel cepstra of the envelopes at equal power; `voiced`, `unvoiced`: (n,) the active
    frames of each kind; `aperiodicity`: (BANDS,) mean of the voiced ones; `log_pitch`: median and spread;
    `bandwidth`: Hz, up to which the prompt has sound; `level`: root mean square of its speech.
    """

    cepstra: NDArray[np.float32]
    voiced: Mask
    unvoiced: Mask
    aperiodicity: Floats
    log_pitch: tuple[float, float]
    bandwidth: float
    level: float

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ("cepstra", "voiced", "unvoiced", "aperiodicity")}

    def facts(self) -> dict[str, Any]:
        return {"log_pitch": list(self.log_pitch), "bandwidth": self.bandwidth, "level": self.level}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Timbre:
        """From what `arrays` and `facts` gave. Raises KeyError for anything else."""
        median, spread = facts["log_pitch"]
        return cls(
            arrays["cepstra"],
            arrays["voiced"],
            arrays["unvoiced"],
            arrays["aperiodicity"],
            (median, spread),
            facts["bandwidth"],
            facts["level"],
        )


def timbre(prompt: Waveform) -> Timbre:
    """The timbre of a prompt of any rate. Raises NoVoice."""
    samples = resampled(prompt)
    scaled = samples * (0.7 / max(1e-6, float(np.abs(samples).max(initial=0.0))))
    speech = analyse(scaled)
    voiced, unvoiced = _active(speech)
    if voiced.sum() < LEAST_VOICED:
        raise NoVoice
    return Timbre(
        _cepstra(_shape(speech)).astype(np.float32),
        voiced,
        unvoiced,
        speech.aperiodicity[voiced].mean(axis=0),
        _log_pitch(speech.pitch[voiced]),
        _bandwidth(speech.envelope[voiced].mean(axis=0), prompt.rate),
        float(np.clip(_level(samples), *_LEVELS)),
    )


def convert(source: Waveform, voice: Timbre, similarity: float, seed: int) -> Iterator[Waveform]:
    """`source` with the voice of the prompt, at RATE, in pieces of at most PIECE_S seconds.

    `similarity`: 0 (clearest) to 1 (most like the prompt). `seed` decides the noise in the speech.
    """
    samples = resampled(source)
    level = _level(samples)
    gain = voice.level / level if level else 1.0
    for piece in cutting.pieces(samples, RATE, PIECE_S, PIECE_S / 4):
        speech = analyse(piece)
        envelope = _converted_envelope(speech, voice, similarity)
        converted = Speech(_converted_pitch(speech, voice), envelope, _converted_aperiodicity(speech, voice))
        loud = synthesise(converted, seed)[: len(piece)] * gain
        loud *= min(1.0, _PEAK / max(1e-6, float(np.abs(loud).max(initial=0.0))))
        yield Waveform(loud.astype(np.float32), RATE)


def resampled(waveform: Waveform) -> Floats:
    """The samples at RATE."""
    samples = np.asarray(waveform.samples, np.float64)
    return samples if waveform.rate == RATE else soxr.resample(samples, waveform.rate, RATE)


def _converted_envelope(speech: Speech, voice: Timbre, similarity: float) -> Floats:
    shape = _shape(speech)
    cepstra = _cepstra(shape)
    mapped = _moved_to_neighbours(_globally_mapped(cepstra, speech, voice), speech, voice, similarity)
    mel = _mel(shape)
    fine = mel - _from_cepstra(cepstra)  # what the cepstra leave out
    target = _from_mel(_from_cepstra(mapped) + 0.5 * fine)
    target = _source_above(target, shape, voice.bandwidth)
    return target - np.log(np.exp(target).sum(axis=1, keepdims=True)) + speech.power[:, None]


def _globally_mapped(cepstra: Floats, speech: Speech, voice: Timbre) -> Floats:
    """Mean and spread of voiced and of unvoiced frames brought to the prompt's."""
    active_voiced, active_unvoiced = _active(speech)
    mapped = cepstra.copy()
    kinds = ((speech.voiced, active_voiced, voice.voiced), (~speech.voiced, active_unvoiced, voice.unvoiced))
    for every, active, wanted in kinds:
        if active.sum() < 10 or wanted.sum() <= 20:
            if active_voiced.any():  # too few to compare: half the way of the voiced ones
                shift = voice.cepstra[voice.voiced].mean(axis=0) - cepstra[active_voiced].mean(axis=0)
                mapped[every] += 0.5 * shift
            continue
        mean, spread = cepstra[active].mean(axis=0), cepstra[active].std(axis=0)
        target = voice.cepstra[wanted]
        gain = np.clip(target.std(axis=0) / np.maximum(spread, 1e-3), 0.5, 1.8) ** _SPREAD
        mapped[every] = (cepstra[every] - mean) * gain + target.mean(axis=0)
    return mapped


def _moved_to_neighbours(cepstra: Floats, speech: Speech, voice: Timbre, similarity: float) -> Floats:
    if similarity <= 0:
        return cepstra
    moved = cepstra.copy()
    known, asked = _with_context(np.asarray(voice.cepstra, np.float64)), _with_context(cepstra)
    active_voiced, active_unvoiced = _active(speech)
    for active, wanted in ((active_voiced, voice.voiced), (active_unvoiced, voice.unvoiced)):
        if wanted.sum() < _LEAST_FRAMES or not active.any():
            continue
        target = _mean_of_neighbours(asked[active], known[wanted], voice.cepstra[wanted])
        moved[active] += similarity * (uniform_filter1d(target, 5, axis=0) - moved[active])
    return moved


def _with_context(cepstra: Floats) -> Floats:
    """The frame itself with those 20 ms before and after, without level and without the finest detail."""
    return np.hstack([np.roll(cepstra[:, 1:20], shift, axis=0) for shift in (-4, 0, 4)])


def _mean_of_neighbours(asked: Floats, known: Floats, values: NDArray[np.float32]) -> Floats:
    """The values at the _NEIGHBOURS nearest of `known`, weighted by nearness."""
    result = np.empty((len(asked), values.shape[1]))
    for start in range(0, len(asked), _BLOCK):
        part = asked[start : start + _BLOCK]
        distance = (part**2).sum(axis=1)[:, None] - 2 * part @ known.T + (known**2).sum(axis=1)
        nearest = np.argpartition(distance, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        near = np.take_along_axis(distance, nearest, axis=1)
        weight = np.exp(-(near - near.min(axis=1, keepdims=True)) / (0.25 * near.mean() + 1e-9))
        weight /= weight.sum(axis=1, keepdims=True)
        result[start : start + _BLOCK] = (values[nearest] * weight[:, :, None]).sum(axis=1)
    return result


def _source_above(target: Floats, source: Floats, bandwidth: float) -> Floats:
    """Above the prompt's bandwidth (a telephone's, say) the source's envelope, lowered to meet the target's."""
    edge = int(bandwidth / (RATE / 2) * (BINS - 1)) - 4
    if edge >= BINS - 9:
        return target
    step = target[:, edge - 6 : edge].mean(axis=1) - source[:, edge - 6 : edge].mean(axis=1)
    joined = target.copy()
    joined[:, edge:] = source[:, edge:] + np.minimum(step, 0)[:, None]
    return joined


def _converted_pitch(speech: Speech, voice: Timbre) -> Floats:
    """The pitch contour moved to the prompt's median, its range brought near to the prompt's."""
    pitch = speech.pitch.copy()
    if not speech.voiced.any():
        return pitch
    log_pitch = np.log(pitch[speech.voiced])
    median, spread = float(np.median(log_pitch)), float(np.std(log_pitch))
    wanted_median, wanted_spread = voice.log_pitch
    gain = np.clip(wanted_spread / max(spread, 1e-3), 0.4, 2.0) ** _PITCH_SPREAD
    pitch[speech.voiced] = np.exp((log_pitch - median) * gain + wanted_median)
    return pitch


def _converted_aperiodicity(speech: Speech, voice: Timbre) -> Floats:
    active, _ = _active(speech)
    if active.sum() <= 10:
        return speech.aperiodicity
    shift = 0.8 * (voice.aperiodicity - speech.aperiodicity[active].mean(axis=0))
    moved = np.clip(speech.aperiodicity + shift, np.log(1e-4), 0.0)
    return np.where(speech.voiced[:, None], moved, 0.0)


def _active(speech: Speech) -> tuple[Mask, Mask]:
    """The voiced and the unvoiced frames within 30 dB of the loud ones."""
    power = speech.power
    loud = power > np.percentile(power, 95) - _ACTIVE_RANGE
    return speech.voiced & loud, ~speech.voiced & loud


def _shape(speech: Speech) -> Floats:
    """The envelopes at equal power."""
    return speech.envelope - speech.power[:, None]


def _log_pitch(pitch: Floats) -> tuple[float, float]:
    log_pitch = np.log(pitch)
    median = float(np.median(log_pitch))
    return median, float(np.std(log_pitch[np.abs(log_pitch - median) < 0.5]))


def _bandwidth(mean_envelope: Floats, rate: Hertz) -> float:
    """The highest frequency (Hz) where the mean envelope stands out of its floor."""
    above = np.flatnonzero(mean_envelope > np.percentile(mean_envelope, 2) + 1.2)
    highest = above[-1] * (RATE / 2) / (BINS - 1) if len(above) else RATE / 2
    return float(min(rate / 2, highest, RATE / 2))


def _level(samples: Floats) -> float:
    """Root mean square of what is louder than -40 dB."""
    loud = samples[np.abs(samples) > 0.01]
    return float(np.sqrt((loud**2).mean())) if len(loud) else 0.0


def _mel_places() -> tuple[Floats, Floats]:
    """The frequency of each bin and of each mel point, in Hz."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    return np.linspace(0, RATE / 2, BINS), 700 * (10 ** (np.linspace(0, top, _MELS) / 2595) - 1)


def _resampled_columns(values: Floats, places: Floats, wanted: Floats) -> Floats:
    """Columns given at `places` interpolated at `wanted`."""
    index = np.interp(wanted, places, np.arange(len(places)))
    low = np.minimum(index.astype(np.intp), len(places) - 2)
    weight = index - low
    return values[:, low] * (1 - weight) + values[:, low + 1] * weight


def _mel(envelope: Floats) -> Floats:
    return _resampled_columns(envelope, *_mel_places())


def _from_mel(mel: Floats) -> Floats:
    bins, mels = _mel_places()
    return _resampled_columns(mel, mels, bins)


def _cepstra(envelope: Floats) -> Floats:
    return dct(_mel(envelope), norm="ortho", axis=1)[:, :CEPSTRA]


def _from_cepstra(cepstra: Floats) -> Floats:
    return idct(np.pad(cepstra, ((0, 0), (0, _MELS - CEPSTRA))), norm="ortho", axis=1)
