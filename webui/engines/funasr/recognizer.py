"""What all FunASR recognizers share: one caller at a time, one result for each segment, whatever the model gives."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np

from webui.devices import is_out_of_memory, load_torch
from webui.engines.base import EngineError, Recognition, RecognitionOptions, RecognizerCapabilities, Waveform
from webui.engines.funasr import batching
from webui.engines.funasr.loading import Built, LoadedModel
from webui.engines.funasr.lookahead import prepared

RATE = 16000
SHORTEST = 0.1  # seconds; less holds no syllable, and some models fail on it
EMPTY = Recognition("", "")
_MOST_THREADS = 8  # that prepare segments for an accelerator


class FunasrRecognizer(LoadedModel, ABC):
    """Thread-safe: calls wait for each other."""

    def __init__(self, built: Built, capabilities: RecognizerCapabilities) -> None:
        super().__init__(built)
        self.capabilities = capabilities

    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        """One result per waveform (16 kHz), in order. Raises EngineError."""
        pieces = [_pieces(waveform) for waveform in batch]
        flat = [piece for group in pieces for piece in group]
        with self._lock:
            results = iter(self._in_buckets(flat, options))
        return [batching.join(group, [next(results) for _ in group]) if group else EMPTY for group in pieces]

    def close(self) -> None:
        """Give the model back; a call in progress ends first."""
        with self._lock:
            super().close()

    @property
    def batch_seconds(self) -> float:
        """Audio seconds worth computing together: on a CPU batching gains less than its padding costs."""
        return 0 if self.built.device == "cpu" else self.capabilities.batch_seconds

    @property
    def threads_ahead(self) -> int:
        """Threads that prepare the next batch while the model computes: on a CPU it has all cores for itself."""
        return 0 if self.built.device == "cpu" else min(_MOST_THREADS, os.cpu_count() or 1)

    def _prepare(self, waveform: Waveform) -> Waveform:
        """What can be done for a segment before its turn, in another thread: no torch, no state."""
        return waveform

    @abstractmethod
    def _recognize(self, batch: Sequence[Any], options: RecognitionOptions) -> list[Recognition]:
        """Results of a batch of prepared segments of similar length, none of which is too short or too long."""

    def _in_buckets(self, pieces: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        results = [EMPTY] * len(pieces)
        places = batching.buckets([piece.seconds for piece in pieces], self.batch_seconds)
        batches = [[pieces[index] for index in group] for group in places]
        try:
            with closing(prepared(batches, self._prepare, self.threads_ahead)) as ready, load_torch().inference_mode():
                for group, batch in zip(places, ready, strict=True):
                    for index, result in zip(group, self._recognize(batch, options), strict=True):
                        results[index] = result
        except Exception as error:
            raise _engine_error(error) from error
        return results


def _pieces(waveform: Waveform) -> list[Waveform]:
    if waveform.rate != RATE:
        raise EngineError("ENGINE_FAILED", f"{waveform.rate} Hz instead of {RATE}")
    if waveform.samples.ndim != 1 or waveform.samples.dtype != np.float32:
        raise EngineError("ENGINE_FAILED", f"{waveform.samples.dtype} {waveform.samples.shape} instead of float32 (n,)")
    if waveform.seconds < SHORTEST or not np.isfinite(waveform.samples).all():
        return []
    return batching.cut(waveform)


def _engine_error(error: Exception) -> Exception:
    if is_out_of_memory(error) or isinstance(error, EngineError):
        return error
    return EngineError("ENGINE_FAILED", f"{type(error).__name__}: {error}")


def by_key(answer: Any, count: int) -> list[dict[str, Any]]:
    """The answers of FunASR's `inference` in order: it gives `[]`, `([],)` or fewer than asked for empty ones."""
    found = answer[0] if isinstance(answer, tuple) else answer
    results = {str(result.get("key")): result for result in found or [] if isinstance(result, dict)}
    return [results.get(str(index), {}) for index in range(count)]
