"""What the model hears of a recording: resampled sound, mel spectra, filter banks. All on the CPU, in float32."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from webui.audio.units import Hertz


def resample(wave: torch.Tensor, rate: Hertz, target: Hertz) -> torch.Tensor:
    """`wave` (1, n) at `rate` Hz → (1, ceil(n · target / rate)).

    Band-limited interpolation by a Hann-windowed sinc of 6 zero crossings, roll-off 0.99: the definition of
    torchaudio's default, which the model was trained behind (Smith, "Digital Audio Resampling").
    """
    if rate == target:
        return wave
    common = math.gcd(rate, target)
    step, phases = rate // common, target // common
    kernel, width = _sinc_kernel(step, phases)
    length = wave.shape[-1]
    padded = F.pad(wave[:, None], (width, width + step))
    out = F.conv1d(padded, kernel, stride=step).transpose(1, 2).reshape(wave.shape[0], -1)
    return out[:, : math.ceil(phases * length / step)]


def _sinc_kernel(step: int, phases: int, crossings: int = 6, rolloff: float = 0.99) -> tuple[torch.Tensor, int]:
    """The polyphase filter (phases, 1, 2·width + step) and its half width in input samples."""
    cutoff = min(step, phases) * rolloff
    width = math.ceil(crossings * step / cutoff)
    taps = torch.arange(-width, width + step, dtype=torch.float64)[None, None] / step
    offsets = torch.arange(0, -phases, -1, dtype=torch.float64)[:, None, None] / phases
    time = ((offsets + taps) * cutoff).clamp(-crossings, crossings)
    window = torch.cos(time * math.pi / crossings / 2) ** 2
    kernel = torch.sinc(time) * window * (cutoff / step)
    return kernel.to(torch.float32), width


def whisper_mel(wave: torch.Tensor) -> torch.Tensor:
    """(1, n) at 16 kHz → (1, 128, n // 160): Whisper's log mel, what the speech tokenizer reads."""
    spectrum = torch.stft(wave, 400, 160, window=torch.hann_window(400), return_complex=True)[..., :-1].abs() ** 2
    log = torch.clamp(_slaney_filters(16000, 400, 128) @ spectrum, min=1e-10).log10()
    return (torch.maximum(log, log.max() - 8.0) + 4.0) / 4.0


def prompt_mel(wave: torch.Tensor) -> torch.Tensor:
    """(1, n) at 24 kHz → (1, n // 480, 80): natural-log mel, 50 frames a second, what the flow writes."""
    padded = F.pad(wave[:, None], (720, 720), mode="reflect")[:, 0]
    window = torch.hann_window(1920)
    spectrum = torch.stft(padded, 1920, 480, 1920, window, center=False, return_complex=True)
    magnitude = torch.sqrt(torch.view_as_real(spectrum).pow(2).sum(-1) + 1e-9)
    mel = _slaney_filters(24000, 1920, 80) @ magnitude
    return torch.log(torch.clamp(mel, min=1e-5)).transpose(1, 2)


def kaldi_fbank(wave: torch.Tensor) -> torch.Tensor:
    """(1, n) at 16 kHz → (frames, 80): Kaldi's log filter banks (25/10 ms, Povey window, from 20 Hz, no dither),
    each band with its mean taken off: what the speaker model reads.
    """
    frames = wave[0].unfold(0, 400, 160)
    frames = frames - frames.mean(1, keepdim=True)
    frames = frames - 0.97 * torch.cat([frames[:, :1], frames[:, :-1]], 1)
    frames = frames * torch.hann_window(400, periodic=False).pow(0.85)
    power = torch.fft.rfft(F.pad(frames, (0, 112))).abs() ** 2
    energy = power @ F.pad(_kaldi_filters(), (0, 1)).T
    log = torch.log(torch.clamp(energy, min=torch.finfo(torch.float32).eps))
    return log - log.mean(0, keepdim=True)


@cache
def _slaney_filters(rate: Hertz, n_fft: int, bands: int) -> torch.Tensor:
    """(bands, n_fft // 2 + 1): triangles of equal area on Slaney's mel scale (linear below 1 kHz), 0 to rate / 2."""
    edges = _slaney_hz(np.linspace(0, _slaney_mel(rate / 2), bands + 2))
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    widths = np.diff(edges)
    slopes = edges[:, None] - bins[None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1, None], slopes[2:] / widths[1:, None]))
    area = 2.0 / (edges[2:] - edges[:-2])
    rounded = triangles.astype(np.float32)  # as librosa does, before the areas: the last bit is heard in the phase
    return torch.from_numpy((rounded * area[:, None]).astype(np.float32))


def _slaney_mel(hertz: float) -> float:
    """Hz above 1000 → mel."""
    return 15 + math.log(hertz / 1000) / (math.log(6.4) / 27)


def _slaney_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel >= 15, 1000 * np.exp((math.log(6.4) / 27) * (mel - 15)), mel * (200 / 3))


@cache
def _kaldi_filters() -> torch.Tensor:
    """(80, 256): Kaldi's triangles, straight on the mel scale 1127 ln(1 + f / 700), 20 Hz to 8 kHz, 512-point FFT."""
    low, high = 1127.0 * math.log(1 + 20 / 700), 1127.0 * math.log(1 + 8000 / 700)
    spacing = (high - low) / 81
    band = torch.arange(80)[:, None]
    left, centre, right = (low + (band + place) * spacing for place in range(3))
    bins = 1127.0 * torch.log(1 + 16000 / 512 * torch.arange(256) / 700)[None]
    rise, fall = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return torch.clamp(torch.minimum(rise, fall), min=0)
