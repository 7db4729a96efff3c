"""The language model: text and prompt to speech tokens. Qwen2 with a cache of fixed size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from webui.engines.cosyvoice.sampling import SPEECH_TOKENS, Sampler
from webui.engines.cosyvoice.weights import Weights

START, END, TASK = SPEECH_TOKENS, SPEECH_TOKENS + 1, SPEECH_TOKENS + 2


@dataclass(frozen=True)
class _Layer:
    input_norm: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor
    out: torch.Tensor
    post_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass
class _Cache:
    """Keys and values (layers, 2, kv heads, positions, head width), rotations (positions, head width), fill."""

    kv: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    used: int = 0


class SpeechLanguageModel:
    """Text ids and prompt speech tokens in, speech tokens out, one at a time."""

    def __init__(self, weights: Weights, config: dict[str, Any], device: torch.device, dtype: torch.dtype) -> None:
        """Raises UserError MODEL_BROKEN."""
        self._device, self._dtype = device, dtype
        self._heads, self._kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self._theta, self._eps = config.get("rope_theta", 1e6), config.get("rms_norm_eps", 1e-6)
        self._text_embedding = self._take(weights, "llm.model.model.embed_tokens.weight", -1, -1)
        hidden = self._text_embedding.shape[1]
        if hidden % self._heads or self._heads % self._kv_heads:
            raise weights.misshapen("llm.model.model.embed_tokens.weight", (-1, self._heads * 64))
        self._width = hidden // self._heads
        self._speech_embedding = self._take(weights, "speech_embedding.weight", -1, hidden)
        self._head = self._take(weights, "llm_decoder.weight", self._speech_embedding.shape[0], hidden)
        self._last_norm = self._take(weights, "llm.model.model.norm.weight", hidden)
        prefix = "llm.model.model.layers."
        self._layers = [self._layer(weights, f"{prefix}{index}.", hidden) for index in range(weights.count(prefix))]

    def _take(self, weights: Weights, key: str, *shape: int) -> torch.Tensor:
        return weights.take(key, *shape).to(self._device, self._dtype, copy=True)

    def _layer(self, weights: Weights, prefix: str, hidden: int) -> _Layer:
        kv = self._kv_heads * self._width
        rows = {"q": hidden, "k": kv, "v": kv}
        attention, mlp = f"{prefix}self_attn.", f"{prefix}mlp."
        inner = weights.take(f"{mlp}gate_proj.weight", -1, hidden).shape[0]
        return _Layer(
            self._take(weights, f"{prefix}input_layernorm.weight", hidden),
            torch.cat([self._take(weights, f"{attention}{x}_proj.weight", rows[x], hidden) for x in rows]),
            torch.cat([self._take(weights, f"{attention}{x}_proj.bias", rows[x]) for x in rows]),
            self._take(weights, f"{attention}o_proj.weight", hidden, hidden),
            self._take(weights, f"{prefix}post_attention_layernorm.weight", hidden),
            torch.cat([self._take(weights, f"{mlp}{x}_proj.weight", inner, hidden) for x in ("gate", "up")]),
            self._take(weights, f"{mlp}down_proj.weight", hidden, inner),
        )

    @torch.inference_mode()
    def generate(
        self,
        text: Sequence[int],
        prompt: Sequence[int],
        sampler: Sampler,
        least: int,
        most: int,
        trace: list[torch.Tensor] | None = None,
    ) -> Iterator[int]:
        """Speech tokens for `text` ids after the `prompt` speech tokens: at least `least`, at most `most`.

        `trace` receives each step's logits, float32 (vocabulary,) on the CPU, before any masking.
        """
        x = self._embed(text, prompt)
        cache = self._new_cache(len(x) + most)
        decoded: list[int] = []
        while len(decoded) < most:
            logits = F.linear(self._forward(x, cache), self._head).float().cpu()
            if trace is not None:
                trace.append(logits)
            token = sampler(logits, decoded, len(decoded) >= least)
            if token >= SPEECH_TOKENS:
                return
            decoded.append(token)
            yield token
            x = self._speech_embedding[token : token + 1]

    def _embed(self, text: Sequence[int], prompt: Sequence[int]) -> torch.Tensor:
        """(1 + text + 1 + prompt, hidden): start, text, task, prompt."""
        text_ids = torch.tensor(text, dtype=torch.long, device=self._device)
        speech_ids = torch.tensor([START, TASK, *prompt], dtype=torch.long, device=self._device)
        speech = F.embedding(speech_ids, self._speech_embedding)
        return torch.cat([speech[:1], F.embedding(text_ids, self._text_embedding), speech[1:]])

    def _new_cache(self, positions: int) -> _Cache:
        kv = torch.zeros(
            len(self._layers), 2, self._kv_heads, positions, self._width, device=self._device, dtype=self._dtype
        )
        frequencies = self._theta ** -(torch.arange(0, self._width, 2, dtype=torch.float32) / self._width)
        angles = (torch.arange(positions).float()[:, None] * frequencies).repeat(1, 2)
        sin = angles.sin()
        sin[:, : self._width // 2] *= -1  # the sign of the quarter turn, so that a roll of the halves does the rest
        return _Cache(kv, angles.cos().to(kv), sin.to(kv))

    def _forward(self, x: torch.Tensor, cache: _Cache) -> torch.Tensor:
        """x (n, hidden), appended to the cache → the last position's hidden state (hidden,)."""
        start, end = cache.used, cache.used + len(x)
        cos, sin = cache.cos[start:end], cache.sin[start:end]
        rotating = self._heads + self._kv_heads
        for layer, kv in zip(self._layers, cache.kv, strict=True):
            qkv = F.linear(self._norm(x, layer.input_norm), layer.qkv, layer.qkv_bias)
            heads = qkv.view(len(x), -1, self._width).transpose(0, 1)
            qk = heads[:rotating]
            qk = torch.addcmul(qk * cos, qk.roll(self._width // 2, -1), sin)
            kv[0, :, start:end] = qk[self._heads :]
            kv[1, :, start:end] = heads[rotating:]
            x = torch.addmm(x, self._attend(qk[: self._heads], kv[0, :, :end], kv[1, :, :end]), layer.out.T)
            gate, up = F.linear(self._norm(x, layer.post_norm), layer.gate_up).chunk(2, -1)
            x = torch.addmm(x, F.silu(gate) * up, layer.down.T)
        cache.used = end
        return self._norm(x[-1], self._last_norm)

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """q (heads, n, width) over k, v (kv heads, positions, width) → (n, hidden); causal among the n."""
        n, shared = q.shape[1], self._heads // self._kv_heads
        if n == 1:  # the query heads of one key head stand in as its positions: nothing is copied
            grouped = q.reshape(1, self._kv_heads, shared, self._width)
            return F.scaled_dot_product_attention(grouped, k[None], v[None]).reshape(1, -1)
        k, v = (x[:, None].expand(-1, shared, -1, -1).reshape(1, self._heads, -1, self._width) for x in (k, v))
        mixed = F.scaled_dot_product_attention(q[None], k, v, is_causal=True)
        return mixed[0].transpose(0, 1).reshape(n, -1)

    def _norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Root-mean-square norm (Zhang & Sennrich 2019)."""
        return F.rms_norm(x, weight.shape, weight, self._eps)
