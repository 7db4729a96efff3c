"""Decoding by device graphs: on an accelerator a step of the language model is one launch instead of some 400.

A graph has fixed shapes and places: one cache of fixed size, and a graph for each of a few lengths of it that
the attention reaches over. One that cannot be made, gives other numbers or saves no time ends their use for this
model, and it decodes eagerly.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from webui.engines.cosyvoice import graphs

log = logging.getLogger(__name__)

LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
POSITIONS = LENGTHS[-1]  # of the cache, 12 kB each in 16 bits: as many as the flow takes, and a text of 690 tokens


@dataclass
class Cache:
    """Keys and values (layers, 2, kv heads, positions, head width), rotations (positions, head width), fill."""

    kv: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    used: int = 0


# token and position, int64 (1,) on the device; the cache; the length that attention reaches over → logits
Step = Callable[[torch.Tensor, torch.Tensor, Cache, int], torch.Tensor]
Eager = Callable[[int, Cache], torch.Tensor]  # token, appended to the cache → logits


class GraphDecoding:
    """The logits after each token, by replaying `step`; `eager` is what it must equal."""

    def __init__(self, cache: Cache, step: Step, eager: Eager) -> None:
        """`cache` of POSITIONS positions."""
        self._cache, self._step, self._eager = cache, step, eager
        self._device = cache.kv.device
        self._token = torch.zeros(1, dtype=torch.long, device=self._device)
        self._position = torch.zeros_like(self._token)
        self._graphs: dict[int, graphs.CapturedGraph] = {}
        self._free = threading.Lock()
        self.given_up = False

    @contextmanager
    def lend(self, positions: int) -> Iterator[Cache | None]:
        """The cache, emptied, to one request at a time; None where it does not reach, or is lent already."""
        if positions > POSITIONS or not self._free.acquire(blocking=False):
            yield None
            return
        try:
            self._cache.kv.zero_()  # masked, but a NaN would come through
            self._cache.used = 0
            yield self._cache
        finally:
            self._free.release()

    def logits(self, token: int, cache: Cache) -> torch.Tensor | None:
        """What follows `token`, appended to the cache: float32 (vocabulary,), good until the next call.

        None where `cache` is not the one captured with, or graphs have been given up.
        """
        if cache is not self._cache or self.given_up:
            return None
        length = next(length for length in LENGTHS if length > cache.used)
        captured = self._graphs.get(length) or self._proven(token, length)
        if captured is None:
            return None
        self._place(token, cache.used)
        cache.used += 1
        return captured.replay()

    def _proven(self, token: int, length: int) -> graphs.CapturedGraph | None:
        """A graph over `length` positions that has passed its trial, at what comes next; else None, for good."""
        try:
            captured = self._capture(length)
            self._place(token, self._cache.used)
            trial = graphs.try_out(captured, partial(self._eagerly, token), self._cache.kv.dtype)
        except Exception as error:  # each vendor raises its own
            self._give_up(length, f"{type(error).__name__} {error}".splitlines()[0])
            return None
        if not trial.passed:
            self._give_up(length, str(trial))
            return None
        log.info("%s decodes by graphs over %d positions: %s", self._device, length, trial)
        self._graphs[length] = captured
        return captured

    def _capture(self, length: int) -> graphs.CapturedGraph:
        """Captured at another token and place than it is tried at: what did not stay a variable shows."""
        self._place(0, length - 1)
        step = partial(self._step, self._token, self._position, self._cache, length)
        return graphs.capture(step, self._device)

    def _eagerly(self, token: int) -> torch.Tensor:
        """The next step, which may be repeated."""
        used = self._cache.used
        logits = self._eager(token, self._cache)
        self._cache.used = used
        return logits

    def _place(self, token: int, position: int) -> None:
        self._token.fill_(token)
        self._position.fill_(position)

    def _give_up(self, length: int, why: str) -> None:
        log.warning("%s decodes eagerly; a graph over %d positions: %s", self._device, length, why)
        self.given_up = True
        self._graphs.clear()
