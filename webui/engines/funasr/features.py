"""Features as FunASR's WavFrontend computes them: Kaldi filter banks, stacked frames, global mean and variance.

No dither: the same recording gives the same features. numpy and kaldi-native-fbank only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.audio.units import Hertz
from webui.engines.base import Waveform

Features = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureSettings:
    """The frontend of a model. Lengths in ms, `stack` frames joined every `step` frames (lfr_m, lfr_n)."""

    rate: Hertz = 16000
    window: str = "hamming"
    mels: int = 80
    frame_length: float = 25
    frame_shift: float = 10
    stack: int = 1
    step: int = 1
    snip_edges: bool = True
    shift: Features | None = None  # added to each frame, then
    scale: Features | None = None  # multiplied

    @property
    def seconds_per_frame(self) -> float:
        return self.frame_shift * self.step / 1000


@dataclass(frozen=True)
class Featured(Waveform):
    """A segment with its features, (frames, mels · stack)."""

    features: Features


def settings_from(frontend_conf: Mapping[str, Any]) -> FeatureSettings:
    """The settings in a model's `frontend_conf`."""
    shift, scale = read_cmvn(Path(frontend_conf["cmvn_file"])) if frontend_conf.get("cmvn_file") else (None, None)
    return FeatureSettings(
        rate=int(frontend_conf.get("fs", 16000)),
        window=str(frontend_conf.get("window", "hamming")),
        mels=int(frontend_conf.get("n_mels", 80)),
        frame_length=float(frontend_conf.get("frame_length", 25)),
        frame_shift=float(frontend_conf.get("frame_shift", 10)),
        stack=int(frontend_conf.get("lfr_m", 1)),
        step=int(frontend_conf.get("lfr_n", 1)),
        snip_edges=bool(frontend_conf.get("snip_edges", True)),
        shift=shift,
        scale=scale,
    )


def read_cmvn(file: Path) -> tuple[Features, Features]:
    """Shift and scale of a Kaldi nnet `am.mvn`, each (stacked dimensions,). Raises ValueError."""
    found: dict[str, Features] = {}
    lines = file.read_text("utf-8").splitlines()
    for index, line in enumerate(lines[:-1]):
        kind = line.split()[:1]
        if kind in (["<AddShift>"], ["<Rescale>"]) and "[" in lines[index + 1]:
            numbers = lines[index + 1].split("[", 1)[1].replace("]", " ")
            found[kind[0]] = np.array(numbers.split(), np.float32)
    if set(found) != {"<AddShift>", "<Rescale>"}:
        raise ValueError(f"{file.name} holds no shift and scale")
    return found["<AddShift>"], found["<Rescale>"]


def featured(waveform: Waveform, settings: FeatureSettings) -> Featured:
    """`waveform` with its features."""
    return Featured(waveform.samples, waveform.rate, extract(waveform.samples, settings))


def extract(samples: NDArray[np.float32], settings: FeatureSettings) -> Features:
    """Features of `samples` (n,) in -1…1: (frames, mels · stack); no frames for less than one window."""
    banks = _filter_banks(samples, settings)
    if len(banks) == 0:
        return np.zeros((0, settings.mels * settings.stack), np.float32)
    stacked = stack_frames(banks, settings.stack, settings.step)
    if settings.shift is not None and settings.scale is not None:
        stacked = (stacked + settings.shift) * settings.scale
    return np.ascontiguousarray(stacked, np.float32)


def _filter_banks(samples: NDArray[np.float32], settings: FeatureSettings) -> Features:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = float(settings.rate)
    options.frame_opts.frame_length_ms = settings.frame_length
    options.frame_opts.frame_shift_ms = settings.frame_shift
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = settings.snip_edges
    options.frame_opts.window_type = settings.window
    options.mel_opts.num_bins = settings.mels
    options.energy_floor = 0.0
    banks = knf.OnlineFbank(options)
    banks.accept_waveform(settings.rate, samples * np.float32(1 << 15))
    banks.input_finished()
    count = banks.num_frames_ready
    frames = np.empty((count, settings.mels), np.float32)
    for index in range(count):
        frames[index] = banks.get_frame(index)
    return frames


def stack_frames(frames: Features, stack: int, step: int) -> Features:
    """Low frame rate: every `step` frames, `stack` of them side by side; the edges repeat the outer frames."""
    if stack == 1 and step == 1:
        return frames
    count = -(-len(frames) // step)
    left = (stack - 1) // 2
    right = max(0, (count - 1) * step + stack - left - len(frames))
    padded = np.concatenate([np.repeat(frames[:1], left, 0), frames, np.repeat(frames[-1:], right, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, stack, axis=0)[::step][:count]
    return np.ascontiguousarray(windows.swapaxes(1, 2)).reshape(count, -1)


def pad(batch: Sequence[Features]) -> tuple[Features, NDArray[np.int64]]:
    """Features side by side, shorter ones filled with zeros: (batch, frames, dimensions) and the lengths."""
    lengths = np.array([len(features) for features in batch], np.int64)
    padded = np.zeros((len(batch), int(lengths.max()), batch[0].shape[1]), np.float32)
    for row, features in zip(padded, batch, strict=True):
        row[: len(features)] = features
    return padded, lengths
