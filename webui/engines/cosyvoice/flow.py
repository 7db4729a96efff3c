"""The flow: speech tokens to a mel spectrum, by a diffusion transformer along a straightened path.

Conditional flow matching (Lipman et al. 2022) with classifier-free guidance, a DiT (Peebles & Xie 2022) as its
estimator. Two frames of mel a token, 50 frames a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F

from webui.engines.cosyvoice.matrices import Matrix, between, matrix
from webui.engines.cosyvoice.weights import Weights

FRAMES_PER_TOKEN = 2
LOOKAHEAD = 3  # tokens that a chunk must see beyond its end
CHUNK_FRAMES = 50  # of the attention's chunks when streaming
MOST_FRAMES = 15000  # of the fixed noise: 300 s, prompt included
GUIDANCE = 0.7
HEAD = 64
MEL = 80


@dataclass(frozen=True)
class VoiceCondition:
    """What a voice fixes: prompt tokens (n,), prompt mel (frames, 80), speaker (1, 80), all on the device."""

    tokens: torch.Tensor
    mel: torch.Tensor
    speaker: torch.Tensor


@dataclass(frozen=True)
class _Block:
    qkv: Matrix
    out: Matrix
    up: Matrix
    down: Matrix


class Flow:
    """Tokens and a voice in, mel out."""

    def __init__(self, weights: Weights, device: torch.device, dtype: torch.dtype) -> None:
        """Raises UserError MODEL_BROKEN."""
        self._device, self._dtype = device, between(dtype)
        self._embedding = self._take(weights, "input_embedding.weight", -1, MEL)
        self._speaker = self._linear(weights, "spk_embed_affine_layer", MEL, 192)
        self._ahead = self._conv(weights, "pre_lookahead_layer.conv1", -1, MEL, LOOKAHEAD + 1)
        self._behind = self._conv(weights, "pre_lookahead_layer.conv2", MEL, -1, 3)
        self._estimator = Estimator(weights, device, dtype)
        generator = torch.Generator("cpu").manual_seed(0)  # the model was trained to be used with this noise
        self.noise = torch.randn([1, MEL, MOST_FRAMES], generator=generator)

    def _take(self, weights: Weights, key: str, *shape: int) -> torch.Tensor:
        return weights.take(key, *shape).to(self._device, self._dtype, copy=True)

    def _linear(self, weights: Weights, key: str, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._take(weights, f"{key}.weight", rows, columns), self._take(weights, f"{key}.bias", rows)

    def _conv(self, weights: Weights, key: str, out: int, into: int, kernel: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._take(weights, f"{key}.weight", out, into, kernel), self._take(weights, f"{key}.bias", out)

    @torch.inference_mode()
    def condition(self, tokens: torch.Tensor, mel: torch.Tensor, embedding: torch.Tensor) -> VoiceCondition:
        """A voice from its prompt: tokens int64 (n,), mel (frames, 80), speaker embedding (1, 192), on the CPU."""
        unit = F.normalize(embedding, dim=1).to(self._device, self._dtype)
        return VoiceCondition(
            tokens.to(self._device), mel.to(self._device, self._dtype), F.linear(unit, *self._speaker)
        )

    @torch.inference_mode()
    def encode(self, tokens: torch.Tensor, complete: bool) -> torch.Tensor:
        """Tokens (n,) → the mean of the path (1, 2n, 80); where not `complete` the last 3 are only looked at."""
        x = F.embedding(tokens, self._embedding).T[None]
        wide = F.pad(x, (0, LOOKAHEAD)) if complete else x
        kept = x if complete else x[..., :-LOOKAHEAD]
        hidden = F.leaky_relu(F.conv1d(wide, *self._ahead))
        mean = F.conv1d(F.pad(hidden, (2, 0)), *self._behind) + kept
        return mean[0].T[None, :, None].expand(-1, -1, FRAMES_PER_TOKEN, -1).reshape(1, -1, MEL)

    @torch.inference_mode()
    def __call__(
        self,
        tokens: list[int],
        voice: VoiceCondition,
        *,
        steps: int = 10,
        streaming: bool = False,
        complete: bool = True,
        trace: dict[str, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The mel of `tokens` after the prompt: float32 (1, 80, frames) on the device.

        `streaming`: attention in chunks, so that earlier frames do not depend on later tokens; `complete`:
        these are all the tokens (else the last 3 only serve as look-ahead).
        """
        ids = torch.cat([voice.tokens, torch.tensor(tokens, dtype=torch.long, device=self._device)])
        mean = self.encode(ids, complete)
        frames, prompt = mean.shape[1], voice.mel.shape[0]
        known = F.pad(voice.mel, (0, 0, 0, frames - prompt))[None]
        noise = self.noise[:, :, :frames].to(self._device).transpose(1, 2)
        mel = self._estimator.solve(noise, mean, known, voice.speaker, steps, streaming)
        if trace is not None:
            trace["mu"] = mean.transpose(1, 2)
        return mel.transpose(1, 2)[:, :, prompt:]


class Estimator:
    """The diffusion transformer: the velocity of every frame at a time between noise and speech."""

    prefix = "decoder.estimator."

    def __init__(self, weights: Weights, device: torch.device, dtype: torch.dtype) -> None:
        """Raises UserError MODEL_BROKEN."""
        self._device, self._dtype, self._matrices = device, between(dtype), dtype
        self._file = weights.path
        self._dim = weights.take(f"{self.prefix}proj_out.weight", MEL, -1).shape[1]
        self._heads = self._dim // HEAD
        self._inputs = self._linear(weights, "input_embed.proj", self._dim, 4 * MEL)
        self._outputs = self._linear(weights, "proj_out", MEL, self._dim)
        self._positions = [self._conv(weights, f"input_embed.conv_pos_embed.conv{index}.0") for index in (1, 2)]
        self._frequencies = weights.take(f"{self.prefix}rotary_embed.inv_freq", HEAD // 2).float()
        count = weights.count(f"{self.prefix}transformer_blocks.")
        self._blocks = [self._block(weights, f"transformer_blocks.{index}.") for index in range(count)]
        self._modulations: dict[int, torch.Tensor] = {}

    def _take(self, weights: Weights, key: str, *shape: int) -> torch.Tensor:
        return weights.take(self.prefix + key, *shape).to(self._device, self._dtype, copy=True)

    def _linear(self, weights: Weights, key: str, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._take(weights, f"{key}.weight", rows, columns), self._take(weights, f"{key}.bias", rows)

    def _conv(self, weights: Weights, key: str) -> tuple[torch.Tensor, torch.Tensor]:
        return self._take(weights, f"{key}.weight", self._dim, -1, -1), self._take(weights, f"{key}.bias", self._dim)

    def _block(self, weights: Weights, prefix: str) -> _Block:
        dim = self._dim
        inner = weights.take(f"{self.prefix}{prefix}ff.ff.0.0.weight", -1, dim).shape[0]
        return _Block(
            self._matrix(weights, [f"{prefix}attn.to_{name}" for name in "qkv"], dim, dim),
            self._matrix(weights, [f"{prefix}attn.to_out.0"], dim, dim),
            self._matrix(weights, [f"{prefix}ff.ff.0.0"], inner, dim),
            self._matrix(weights, [f"{prefix}ff.ff.2"], dim, inner),
        )

    def _matrix(self, weights: Weights, keys: list[str], rows: int, columns: int) -> Matrix:
        """Several matrices as one, in turn."""
        parts = [weights.take(f"{self.prefix}{key}.weight", rows, columns) for key in keys]
        biases = [weights.take(f"{self.prefix}{key}.bias", rows) for key in keys]
        return matrix(torch.cat(parts), torch.cat(biases), self._device, self._matrices)

    def solve(
        self,
        noise: torch.Tensor,
        mean: torch.Tensor,
        known: torch.Tensor,
        speaker: torch.Tensor,
        steps: int,
        streaming: bool,
    ) -> torch.Tensor:
        """Euler's method from `noise` (1, frames, 80) to the mel (1, frames, 80), float32, in `steps` steps.

        `mean`, `known` (1, frames, 80) and `speaker` (1, 80) condition the first of a batch of two; the second,
        unconditioned, is steered away from.
        """
        times = _times(steps).tolist()
        modulations = self._modulation(steps)
        frames = noise.shape[1]
        condition = torch.cat([known, mean, speaker[:, None].expand(-1, frames, -1)], -1)
        condition = torch.cat([condition, torch.zeros_like(condition)])
        cos, sin = self._rotations(frames)
        mask = self._chunk_mask(frames) if streaming else None
        x = noise
        for step, (now, then) in enumerate(pairwise(times)):
            pair = torch.cat([x, x]).to(self._dtype)
            velocity = self._velocity(torch.cat([pair, condition], -1), modulations[step], cos, sin, mask).float()
            x = x + (then - now) * ((1 + GUIDANCE) * velocity[:1] - GUIDANCE * velocity[1:])
        return x

    def _velocity(
        self,
        x: torch.Tensor,
        modulation: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """x (2, frames, 320) → (2, frames, 80); `modulation` (6 · blocks + 2, dim) of this step."""
        x = F.linear(x, *self._inputs)
        x = self._place(x) + x
        for index, block in enumerate(self._blocks):
            shift, scale, gate, shift_up, scale_up, gate_up = modulation[6 * index : 6 * index + 6]
            x = x + gate * self._attend(self._norm(x, scale, shift), block, cos, sin, mask)
            hidden = F.gelu(block.up(self._norm(x, scale_up, shift_up)), approximate="tanh")
            x = x + gate_up * block.down(hidden)
        scale, shift = modulation[-2:]
        return F.linear(self._norm(x, scale, shift), *self._outputs)

    def _norm(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Layer norm with the step's own scale (1 already added) and shift."""
        return F.layer_norm(x, (self._dim,), eps=1e-6) * scale + shift

    def _place(self, x: torch.Tensor) -> torch.Tensor:
        """Causal grouped convolutions over time, which tell the frames their positions."""
        x = x.transpose(1, 2)
        for weight, bias in self._positions:
            groups = self._dim // weight.shape[1]
            x = F.mish(F.conv1d(F.pad(x, (weight.shape[2] - 1, 0)), weight, bias, groups=groups))
        return x.transpose(1, 2)

    def _attend(
        self, x: torch.Tensor, block: _Block, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        batch, frames, _ = x.shape
        heads = block.qkv(x).view(batch, frames, 3, self._heads, HEAD)
        first = heads[:, :, :2, 0]  # the model rotates only the first head, as it was trained
        swapped = first.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)
        heads[:, :, :2, 0] = first * cos + swapped * sin
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(x.shape)
        return block.out(mixed)

    def _rotations(self, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines (1, frames, 1, 64) of the rotary positions."""
        angles = torch.arange(frames).float()[:, None] * self._frequencies
        angles = angles.repeat_interleave(2, -1)[None, :, None]
        sin = angles.sin()
        sin[..., 0::2] *= -1  # the sign of the quarter turn, so that swapping each pair does the rest
        return angles.cos().to(self._device, self._dtype), sin.to(self._device, self._dtype)

    def _chunk_mask(self, frames: int) -> torch.Tensor:
        """True (frames, frames) where a frame may look: its own chunk and the ones before."""
        chunk = torch.arange(frames) // CHUNK_FRAMES
        return (chunk[None] <= chunk[:, None]).to(self._device)

    def _modulation(self, steps: int) -> torch.Tensor:
        """(steps, 6 · blocks + 2, dim): shift, scale and gate of every layer at every step."""
        if steps not in self._modulations:
            clock = _Clock(Weights(self._file), len(self._blocks), self._dim)
            rows = [clock.modulation(time) for time in _times(steps)[:-1].tolist()]
            self._modulations[steps] = torch.stack(rows).to(self._device, self._dtype)
        return self._modulations[steps]


class _Clock:
    """What the time does to every layer. It depends on nothing else, so it is computed once for each number of steps,
    on the CPU in float32, from the weights in the file: 40 % of the flow's parameters never reach the device.
    """

    def __init__(self, weights: Weights, blocks: int, dim: int) -> None:
        self._weights, self._dim = weights, dim
        self._layers = [f"transformer_blocks.{index}.attn_norm.linear" for index in range(blocks)]

    @torch.inference_mode()
    def modulation(self, time: float) -> torch.Tensor:
        """(6 · blocks + 2, dim) at one time in 0…1.

        For a pair of equal rows, as the reference does: another shape of matrix rounds otherwise, and the vocoder's
        phase makes a last bit of the mel audible in the comparison.
        """
        hidden = F.silu(self._embedding(torch.full((2,), time)))
        table = torch.cat([self._linear(name, hidden)[0].view(6, self._dim) for name in self._layers])
        table[1::3] += 1  # the scales of attention and feed-forward
        last = self._linear("norm_out.linear", hidden)[0].view(2, self._dim)
        return torch.cat([table, last[:1] + 1, last[1:]])

    def _embedding(self, times: torch.Tensor) -> torch.Tensor:
        """(n,) → (n, dim): sines and cosines through two layers."""
        frequencies = torch.exp(torch.arange(128).float() * -(math.log(10000) / 127))
        angles = 1000 * times[:, None] * frequencies
        hidden = self._linear("time_embed.time_mlp.0", torch.cat([angles.sin(), angles.cos()], -1))
        return self._linear("time_embed.time_mlp.2", F.silu(hidden))

    def _linear(self, key: str, x: torch.Tensor) -> torch.Tensor:
        weight = self._weights.take(f"{Estimator.prefix}{key}.weight", -1, x.shape[-1])
        return F.linear(x, weight.float(), self._weights.take(f"{Estimator.prefix}{key}.bias", len(weight)).float())


def _times(steps: int) -> torch.Tensor:
    """(steps + 1,) from 0 to 1, denser near the noise: 1 - cos(t π / 2)."""
    return 1 - torch.cos(torch.linspace(0, 1, steps + 1) * 0.5 * torch.pi)
