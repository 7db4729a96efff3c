"""Our features behind the interface that FunASR's models call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from webui.devices import load_torch
from webui.engines.funasr import features


class ArrayFrontend:
    """Takes the place of WavFrontend: the same features, computed in numpy, without dither."""

    def __init__(self, frontend_conf: Mapping[str, Any]) -> None:
        self._settings = features.settings_from(frontend_conf)
        self.fs = self._settings.rate
        self.frame_shift = self._settings.frame_shift
        self.lfr_n = self._settings.step
        self.cmvn_file = frontend_conf.get("cmvn_file")

    def __call__(self, samples: Any, lengths: Any, **_options: Any) -> tuple[Any, Any]:
        """`samples` (batch, n) with `lengths` (batch,) → features (batch, frames, dimensions) and their lengths."""
        torch = load_torch()
        extracted = [
            features.extract(np.ascontiguousarray(row[: int(length)].numpy(), np.float32), self._settings)
            for row, length in zip(samples, lengths, strict=True)
        ]
        padded, counts = features.pad(extracted)
        return torch.from_numpy(padded), torch.from_numpy(counts)
