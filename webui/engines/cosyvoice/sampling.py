"""Choosing the next speech token from its logits, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

SPEECH_TOKENS = 6561  # 3^8 codes; ids from here on end the speech
SILENT = frozenset({1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323})  # silence and breath
MOST_SILENT = 5


class Sampler(Protocol):
    def __call__(self, logits: torch.Tensor, decoded: Sequence[int], may_end: bool) -> int:
        """The next id; `logits` float32 (vocabulary,) on the CPU, `decoded` the ids so far."""
        ...


class RepetitionAwareSampler:
    """Nucleus sampling that draws again from the whole distribution where a token has just been used.

    Chen et al., "VALL-E 2" (2024), section 4.1; with the model's own figures.
    """

    top_p, top_k, window = 0.8, 25, 10

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def __call__(self, logits: torch.Tensor, decoded: Sequence[int], may_end: bool) -> int:
        if not may_end:
            logits = logits.clone()
            logits[SPEECH_TOKENS:] = -torch.inf  # every end token, not the first alone (CosyVoice#1908)
        probabilities = logits.softmax(0)
        best, ids = probabilities.topk(self.top_k)
        nucleus = int((best.cumsum(0) < self.top_p).sum()) + 1
        token = int(ids[self._draw(best[:nucleus])])
        if token in decoded[-self.window :]:
            probabilities[token] = 0
            token = self._draw(probabilities)
        return token

    def _draw(self, weights: torch.Tensor) -> int:
        return int(torch.multinomial(weights, 1, generator=self._generator))


class ForcedTokens:
    """Gives the ids of a list, whatever the logits say; an end token after the last."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens

    def __call__(self, logits: torch.Tensor, decoded: Sequence[int], may_end: bool) -> int:  # noqa: ARG002
        return self._tokens[len(decoded)]


class SilenceLimit:
    """Tells which tokens are dropped: silent ones beyond five in a row (they make long pauses)."""

    def __init__(self) -> None:
        self._run = 0

    def keeps(self, token: int) -> bool:
        self._run = self._run + 1 if token in SILENT else 0
        return self._run <= MOST_SILENT
