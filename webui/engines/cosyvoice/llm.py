"""The language model: text and prompt to speech tokens. Qwen2 with a cache of fixed size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from webui.engines.cosyvoice import graphs
from webui.engines.cosyvoice.decoding import POSITIONS, Cache, GraphDecoding
from webui.engines.cosyvoice.matrices import Matrix, between, matrix
from webui.engines.cosyvoice.sampling import SPEECH_TOKENS, Sampler
from webui.engines.cosyvoice.weights import Weights

START, END, TASK = SPEECH_TOKENS, SPEECH_TOKENS + 1, SPEECH_TOKENS + 2

# q (heads, n, width), k and v (kv heads, n, width), a layer's part of the cache → (n, hidden)
Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Layer:
    input_norm: torch.Tensor
    qkv: Matrix
    out: Matrix
    post_norm: torch.Tensor
    gate_up: Matrix
    down: Matrix


class SpeechLanguageModel:
    """Text ids and prompt speech tokens in, speech tokens out, one at a time.

    `by_graphs`: the decoding by device graphs, where the device has them and they are wanted.
    """

    def __init__(
        self,
        weights: Weights,
        config: dict[str, Any],
        device: torch.device,
        dtype: torch.dtype,
        with_graphs: bool = True,
    ) -> None:
        """Raises UserError MODEL_BROKEN."""
        self._device, self._dtype, self._matrices = device, between(dtype), dtype
        self._heads, self._kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self._theta, self._eps = config.get("rope_theta", 1e6), config.get("rms_norm_eps", 1e-6)
        self._text_embedding = self._take(weights, "llm.model.model.embed_tokens.weight", -1, -1)
        hidden = self._text_embedding.shape[1]
        if hidden % self._heads or self._heads % self._kv_heads:
            raise weights.misshapen("llm.model.model.embed_tokens.weight", (-1, self._heads * 64))
        self._width = hidden // self._heads
        self._speech_embedding = self._take(weights, "speech_embedding.weight", -1, hidden)
        head = weights.take("llm_decoder.weight", self._speech_embedding.shape[0], hidden)
        self._head = self._matrix([head])
        self._last_norm = self._take(weights, "llm.model.model.norm.weight", hidden)
        prefix = "llm.model.model.layers."
        self._layers = [self._layer(weights, f"{prefix}{index}.", hidden) for index in range(weights.count(prefix))]
        self.by_graphs: GraphDecoding | None = None
        if with_graphs and graphs.available(device):
            self._places = torch.arange(POSITIONS, device=device)
            self.by_graphs = GraphDecoding(self._new_cache(POSITIONS), self._static_step, self._eager_step)

    def _take(self, weights: Weights, key: str, *shape: int) -> torch.Tensor:
        return weights.take(key, *shape).to(self._device, self._dtype, copy=True)

    def _matrix(self, parts: Sequence[torch.Tensor], biases: Sequence[torch.Tensor] = ()) -> Matrix:
        """Several matrices as one, in turn."""
        bias = torch.cat(list(biases)) if biases else None
        return matrix(torch.cat(list(parts)), bias, self._device, self._matrices)

    def _layer(self, weights: Weights, prefix: str, hidden: int) -> _Layer:
        kv = self._kv_heads * self._width
        rows = {"q": hidden, "k": kv, "v": kv}
        attention, mlp = f"{prefix}self_attn.", f"{prefix}mlp."
        inner = weights.take(f"{mlp}gate_proj.weight", -1, hidden).shape[0]
        return _Layer(
            self._take(weights, f"{prefix}input_layernorm.weight", hidden),
            self._matrix(
                [weights.take(f"{attention}{x}_proj.weight", rows[x], hidden) for x in rows],
                [weights.take(f"{attention}{x}_proj.bias", rows[x]) for x in rows],
            ),
            self._matrix([weights.take(f"{attention}o_proj.weight", hidden, hidden)]),
            self._take(weights, f"{prefix}post_attention_layernorm.weight", hidden),
            self._matrix([weights.take(f"{mlp}{x}_proj.weight", inner, hidden) for x in ("gate", "up")]),
            self._matrix([weights.take(f"{mlp}down_proj.weight", hidden, inner)]),
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
        with self._cache(len(x) + most) as cache:
            logits = self._logits(x, cache)
            decoded: list[int] = []
            while len(decoded) < most:
                if decoded:
                    logits = self._next(decoded[-1], cache)
                on_host = logits.cpu()
                if trace is not None:
                    trace.append(on_host)
                token = sampler(on_host, decoded, len(decoded) >= least)
                if token >= SPEECH_TOKENS:
                    return
                decoded.append(token)
                yield token

    def _next(self, token: int, cache: Cache) -> torch.Tensor:
        """The logits after one more token: replayed where that is possible, else eagerly."""
        logits = self.by_graphs.logits(token, cache) if self.by_graphs else None
        return self._eager_step(token, cache) if logits is None else logits

    def _eager_step(self, token: int, cache: Cache) -> torch.Tensor:
        return self._logits(self._speech_embedding[token : token + 1], cache)

    def _embed(self, text: Sequence[int], prompt: Sequence[int]) -> torch.Tensor:
        """(1 + text + 1 + prompt, hidden): start, text, task, prompt."""
        text_ids = torch.tensor(text, dtype=torch.long, device=self._device)
        speech_ids = torch.tensor([START, TASK, *prompt], dtype=torch.long, device=self._device)
        speech = F.embedding(speech_ids, self._speech_embedding)
        return torch.cat([speech[:1], F.embedding(text_ids, self._text_embedding), speech[1:]])

    @contextmanager
    def _cache(self, positions: int) -> Iterator[Cache]:
        """A cache for one request: the graphs' own where it can be had, else a new one."""
        if self.by_graphs is None:
            yield self._new_cache(positions)
            return
        with self.by_graphs.lend(positions) as lent:
            yield lent or self._new_cache(positions)

    def _new_cache(self, positions: int) -> Cache:
        kv = torch.zeros(
            len(self._layers), 2, self._kv_heads, positions, self._width, device=self._device, dtype=self._dtype
        )
        frequencies = self._theta ** -(torch.arange(0, self._width, 2, dtype=torch.float32) / self._width)
        angles = (torch.arange(positions).float()[:, None] * frequencies).repeat(1, 2)
        sin = angles.sin()
        sin[:, : self._width // 2] *= -1  # the sign of the quarter turn, so that a roll of the halves does the rest
        return Cache(kv, angles.cos().to(kv), sin.to(kv))

    def _logits(self, x: torch.Tensor, cache: Cache) -> torch.Tensor:
        """x (n, hidden), appended to the cache → the last position's logits, float32 (vocabulary,)."""
        start, end = cache.used, cache.used + len(x)

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            kv[0, :, start:end], kv[1, :, start:end] = k, v
            return self._attend(q, kv[0, :, :end], kv[1, :, :end])

        cache.used = end
        return self._forward(x, cache.cos[start:end], cache.sin[start:end], cache.kv, attend)

    def _static_step(self, token: torch.Tensor, position: torch.Tensor, cache: Cache, length: int) -> torch.Tensor:
        """The same for one token, int64 (1,), at a position, int64 (1,), with every shape fixed, so that it can be
        captured: attention reaches over `length` positions of the cache, those after the token masked.
        """
        mask = torch.zeros(1, 1, 1, length, dtype=self._dtype, device=self._device)
        mask.masked_fill_(self._places[:length] > position, -torch.inf)

        def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            kv[0].index_copy_(1, position, k)
            kv[1].index_copy_(1, position, v)
            return self._attend_one(q, kv[0, :, :length], kv[1, :, :length], mask)

        x = F.embedding(token, self._speech_embedding)
        cos, sin = cache.cos.index_select(0, position), cache.sin.index_select(0, position)
        return self._forward(x, cos, sin, cache.kv, attend)

    def _forward(
        self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, kv: torch.Tensor, attend: Attention
    ) -> torch.Tensor:
        """x (n, hidden), rotations (n, width) → the last position's logits, float32 (vocabulary,)."""
        rotating = self._heads + self._kv_heads
        for layer, layer_kv in zip(self._layers, kv, strict=True):
            qkv = layer.qkv(self._norm(x, layer.input_norm))
            heads = qkv.view(len(x), -1, self._width).transpose(0, 1)
            qk = heads[:rotating]
            qk = torch.addcmul(qk * cos, qk.roll(self._width // 2, -1), sin)
            mixed = attend(qk[: self._heads], qk[self._heads :], heads[rotating:], layer_kv)
            x = layer.out.onto(x, mixed)
            gate, up = layer.gate_up(self._norm(x, layer.post_norm)).chunk(2, -1)
            x = layer.down.onto(x, F.silu(gate) * up)
        return self._head(self._norm(x[-1], self._last_norm)).float()

    def _attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """q (heads, n, width) over k, v (kv heads, positions, width) → (n, hidden); causal among the n."""
        n, shared = q.shape[1], self._heads // self._kv_heads
        if n == 1:
            return self._attend_one(q, k, v, None)
        k, v = (x[:, None].expand(-1, shared, -1, -1).reshape(1, self._heads, -1, self._width) for x in (k, v))
        mixed = F.scaled_dot_product_attention(q[None], k, v, is_causal=True)
        return mixed[0].transpose(0, 1).reshape(n, -1)

    def _attend_one(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The same for n = 1. The query heads of one key head stand in as its positions: nothing is copied."""
        grouped = q.reshape(1, self._kv_heads, -1, self._width)
        return F.scaled_dot_product_attention(grouped, k[None], v[None], attn_mask=mask).reshape(1, -1)

    def _norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Root-mean-square norm (Zhang & Sennrich 2019)."""
        return F.rms_norm(x, weight.shape, weight, self._eps)
