"""Precomputed features behind the interface that FunASR's models call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webui.devices import load_torch
from webui.engines.funasr import features


class PrecomputedFeatures:
    """Takes the place of WavFrontend for one batch: answers with its features, whatever sound it is given."""

    def __init__(self, batch: Sequence[features.Features], settings: features.FeatureSettings) -> None:
        self._batch = batch
        self.fs = settings.rate
        self.frame_shift = settings.frame_shift
        self.lfr_n = settings.step

    def __call__(self, *_sound: Any, **_options: Any) -> tuple[Any, Any]:
        """(batch, frames, dimensions) and the lengths (batch,)."""
        torch = load_torch()
        padded, lengths = features.pad(self._batch)
        return torch.from_numpy(padded), torch.from_numpy(lengths)
