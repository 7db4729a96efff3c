"""The vocoder: mel to sound. A causal HiFT generator: harmonics of a predicted pitch shape an inverse STFT.

Li et al., "HiFTNet" (2023). The pitch is predicted in float64 and turned into the harmonic source on the CPU;
the convolutions run on the device. No complex numbers: the STFTs of 16 points are real convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F

from webui.engines.cosyvoice.precision import exact_kernels
from webui.engines.cosyvoice.weights import Weights

RATE = 24000
FRAME = 480  # samples of a mel frame
HARMONICS = 9
MOST = 0.99  # of the samples

_UPSAMPLING = (8, 5, 3)
_DILATIONS = (1, 3, 5)
_FFT, _HOP = 16, 4
_BINS = _FFT // 2 + 1
_VOICED = 10.0  # Hz
_SINE, _NOISE = 0.1, 0.003
_PITCH_LOOKAHEAD, _MEL_LOOKAHEAD = 3, 4  # frames
_ROUNDED_TO = 50  # frames, on accelerators: their libraries plan each convolution anew for each length
_PITCH = "f0_predictor."

Tensors = Mapping[str, torch.Tensor]


class Vocoder:
    """Mel spectra in, samples out."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        """Raises UserError MODEL_BROKEN."""
        folded = _fold_weight_norm(weights)
        _check(weights, folded)
        exact_kernels()
        self._device, self._rounded_to = device, 1 if device.type == "cpu" else _ROUNDED_TO
        self._pitch = {key: value.double() for key, value in folded.items() if key.startswith(_PITCH)}
        self._source = {key: value.float() for key, value in folded.items() if key.startswith("m_source.")}
        self._weights = {key: value.float().to(device) for key, value in folded.items() if not key.startswith(_PITCH)}
        window = torch.hann_window(_FFT, dtype=torch.float64)
        analysis, synthesis = _fourier_bases(window)
        self._analysis, self._synthesis = analysis.to(device), synthesis.to(device)
        self._window_power = (window**2).float()[None, None].to(device)

    @torch.inference_mode()
    def __call__(
        self,
        mel: torch.Tensor,
        *,
        complete: bool = True,
        noise: torch.Tensor | None = None,
        trace: dict[str, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """mel float32 (1, 80, frames) → samples (n,) on the device; n = 480 · frames.

        Not `complete`: the last frames are look-ahead, and n = 480 · (frames - 8). `noise`: uniform (≥ n, 9), the
        source's randomness; else the engine's own, which is the same for every call.
        """
        mel = mel.to(self._device, torch.float32)
        pitch = self.pitch(mel, complete)
        source = self.source(pitch, noise)
        if trace is not None:
            trace.update(f0=pitch, source=source)
        frames = mel.shape[2] - (0 if complete else _PITCH_LOOKAHEAD + _MEL_LOOKAHEAD)
        whole = -(-frames // self._rounded_to) * self._rounded_to
        x = self._conv(_fit(mel, whole + _MEL_LOOKAHEAD), "conv_pre")
        samples = self._istft(self._shape(x, self._stft(source.to(self._device), whole)), frames)
        return (samples if complete else samples[:-FRAME]).clamp(-MOST, MOST)

    def pitch(self, mel: torch.Tensor, complete: bool = True) -> torch.Tensor:
        """Fundamental frequency in Hz of each frame, float32 (1, frames) on the CPU; 3 fewer if not `complete`."""
        x = mel.cpu().double()
        if complete:
            x = F.pad(x, (0, _PITCH_LOOKAHEAD))
        for index in range(0, 10, 2):
            key = f"{_PITCH}condnet.{index}"
            weight = self._pitch[f"{key}.weight"]
            behind = weight.shape[-1] - 1 if index else 0
            x = F.elu(F.conv1d(F.pad(x, (behind, 0)), weight, self._pitch[f"{key}.bias"]))
        key = f"{_PITCH}classifier"
        pitch = F.linear(x.transpose(1, 2), self._pitch[f"{key}.weight"], self._pitch[f"{key}.bias"])
        return pitch.abs()[..., 0].float()

    def source(self, pitch: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """pitch (1, frames) → excitation (1, 1, 480 · frames): nine harmonics where voiced, noise elsewhere."""
        turns = (pitch[0, :, None] * torch.arange(1, HARMONICS + 1) / RATE) % 1
        phase = torch.cumsum(turns, 0) * 2 * math.pi * FRAME
        voiced = (pitch[0] > _VOICED).float()[:, None]
        sines = _SINE * torch.sin(phase) * voiced
        level = voiced * _NOISE + (1 - voiced) * _SINE / 3
        length = pitch.shape[1] * FRAME
        noise = _uniform_noise(length) if noise is None else noise[:length]
        shaped = sines[:, None] + level[:, None] * noise.view(-1, FRAME, HARMONICS)
        mix = F.linear(shaped, self._source["m_source.l_linear.weight"], self._source["m_source.l_linear.bias"])
        return torch.tanh(mix).view(1, 1, length)

    def _shape(self, x: torch.Tensor, spectrum: torch.Tensor) -> torch.Tensor:
        """Mel features upsampled and mixed with the source's spectrum → (1, 18, frames of the STFT)."""
        for index, factor in enumerate(_UPSAMPLING):
            x = F.leaky_relu(x, 0.1)
            x = self._causal(_repeat(x, factor), f"ups.{index}")
            if index == len(_UPSAMPLING) - 1:
                x = torch.cat([x[..., 1:2], x], -1)
            x = x + self._residual(self._down(spectrum, index), f"source_resblocks.{index}")
            first, second, third = (self._residual(x, f"resblocks.{3 * index + branch}") for branch in range(3))
            x = (first + second + third) / 3
        return self._causal(F.leaky_relu(x), "conv_post")

    def _down(self, spectrum: torch.Tensor, index: int) -> torch.Tensor:
        """The source's spectrum at the rate of upsampling stage `index`."""
        stride = math.prod(_UPSAMPLING[index + 1 :])
        return self._conv(F.pad(spectrum, (stride - 1, 0)), f"source_downs.{index}", stride=stride)

    def _residual(self, x: torch.Tensor, block: str) -> torch.Tensor:
        for index, dilation in enumerate(_DILATIONS):
            y = self._causal(self._snake(x, f"{block}.activations1.{index}"), f"{block}.convs1.{index}", dilation)
            x = x + self._causal(self._snake(y, f"{block}.activations2.{index}"), f"{block}.convs2.{index}")
        return x

    def _snake(self, x: torch.Tensor, key: str) -> torch.Tensor:
        """x + sin²(αx) / α (Ziyin et al. 2020)."""
        alpha = self._weights[f"{key}.alpha"][:, None]
        return x + torch.sin(x * alpha).square() / (alpha + 1e-9)

    def _causal(self, x: torch.Tensor, key: str, dilation: int = 1) -> torch.Tensor:
        width = (self._weights[f"{key}.weight"].shape[-1] - 1) * dilation
        return self._conv(F.pad(x, (width, 0)), key, dilation)

    def _conv(self, x: torch.Tensor, key: str, dilation: int = 1, stride: int = 1) -> torch.Tensor:
        weight, bias = self._weights[f"{key}.weight"], self._weights[f"{key}.bias"]
        return F.conv1d(x, weight, bias, stride, dilation=dilation)

    def _stft(self, source: torch.Tensor, frames: int) -> torch.Tensor:
        """(1, 1, n), cut or filled up to 480 · frames → (1, 18, 120 · frames + 1): real above imaginary, centred."""
        padded = F.pad(source, (_FFT // 2, _FFT // 2), mode="reflect")
        return F.conv1d(_fit(padded, FRAME * frames + _FFT), self._analysis, stride=_HOP)

    def _istft(self, x: torch.Tensor, frames: int) -> torch.Tensor:
        """(1, 18, ≥ 120 · frames + 1), log magnitudes above sines of phases → samples (480 · frames,)."""
        length = FRAME // _HOP * frames + 1
        magnitude, phase = torch.exp(x[:, :_BINS, :length]).clamp(max=1e2), torch.sin(x[:, _BINS:, :length])
        spectrum = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], 1)
        ones = torch.ones(1, 1, length, device=x.device)
        added = F.conv_transpose1d(_fit(spectrum, x.shape[2]), self._synthesis, stride=_HOP)
        power = F.conv_transpose1d(_fit(ones, x.shape[2]), self._window_power, stride=_HOP)
        samples = slice(_FFT // 2, _FFT // 2 + FRAME * frames)
        return (added[..., samples] / power[..., samples])[0, 0]


def _fold_weight_norm(weights: Weights) -> dict[str, torch.Tensor]:
    """Every tensor of the file, with g · v / |v| in place of the two halves of a weight norm, old key style or new."""
    folded = {}
    for key in weights:
        stem, style = _norm_stem(key)
        if style is None:
            folded[key] = weights.take(key).clone()
        elif key.endswith(style[0]):
            gain, direction = weights.take(key).double(), weights.take(stem + style[1]).double()
            length = direction.norm(2, dim=tuple(range(1, direction.ndim)), keepdim=True)
            folded[f"{stem}.weight"] = direction * (gain / length)
    return folded


def _norm_stem(key: str) -> tuple[str, tuple[str, str] | None]:
    """The module that a half of a weight norm belongs to, and the names of its halves."""
    for style in (
        (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
        (".weight_g", ".weight_v"),
    ):
        for half in style:
            if key.endswith(half):
                return key.removesuffix(half), style
    return key, None


def _check(weights: Weights, folded: Tensors) -> None:
    """Raises UserError MODEL_BROKEN naming the first tensor that the vocoder needs and the file lacks."""
    convolutions = ["conv_pre", "conv_post", "m_source.l_linear", f"{_PITCH}classifier"]
    convolutions += [f"{_PITCH}condnet.{index}" for index in range(0, 10, 2)]
    convolutions += [f"{kind}.{index}" for kind in ("ups", "source_downs") for index in range(3)]
    blocks = [f"source_resblocks.{index}" for index in range(3)] + [f"resblocks.{index}" for index in range(9)]
    parts = [(block, half, index) for block in blocks for half in (1, 2) for index in range(3)]
    convolutions += [f"{block}.convs{half}.{index}" for block, half, index in parts]
    needed = [f"{name}.{part}" for name in convolutions for part in ("weight", "bias")]
    needed += [f"{block}.activations{half}.{index}.alpha" for block, half, index in parts]
    for key in needed:
        if key not in folded:
            raise weights.missing(key)
    weights.take("conv_post.bias", 2 * _BINS)
    weights.take("m_source.l_linear.weight", 1, HARMONICS)
    weights.take(f"{_PITCH}classifier.bias", 1)


def _fourier_bases(window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The windowed 16-point DFT and its inverse as kernels (18, 1, 16): cosines above negative sines."""
    angle = 2 * math.pi * torch.arange(_BINS, dtype=torch.float64)[:, None] * torch.arange(_FFT) / _FFT
    basis = torch.cat([angle.cos(), -angle.sin()]) * window
    twice = torch.full((_BINS, 1), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1  # the bins without a mirror image
    inverse = basis * torch.cat([twice, twice]) / _FFT
    return basis.float()[:, None], inverse.float()[:, None]


def _fit(x: torch.Tensor, length: int) -> torch.Tensor:
    """(…, n) → (…, length), cut or filled up with zeros."""
    return F.pad(x[..., :length], (0, max(0, length - x.shape[-1])))


def _repeat(x: torch.Tensor, factor: int) -> torch.Tensor:
    """(…, n) → (…, factor · n), each value repeated."""
    return x[..., None].expand(*x.shape, factor).reshape(*x.shape[:-1], -1)


def _uniform_noise(length: int) -> torch.Tensor:
    """Uniform (length, 9), a second of it from each seed: any length is the start of any longer one."""
    seconds = range(-(-length // RATE))
    blocks = [torch.rand(RATE, HARMONICS, generator=torch.Generator("cpu").manual_seed(second)) for second in seconds]
    return torch.cat(blocks)[:length]
