"""Inputs brought to the few lengths for which there is a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webui.engines.base import EngineError

Features = NDArray[np.float32]

BUCKETS = (100, 200, 400)  # frames: 6, 12 and 24 s where a frame is 60 ms


def choose(frames: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that holds so many frames. Raises EngineError where none does."""
    fitting = [bucket for bucket in sorted(buckets) if bucket >= frames]
    if not fitting:
        raise EngineError("ENGINE_FAILED", f"{frames} frames in buckets of at most {max(buckets)}")
    return fitting[0]


def padded(features: Features, bucket: int) -> tuple[Features, Features]:
    """(frames, dimensions) → speech (1, bucket, dimensions) with zeros behind, and the mask (1, 1, bucket)."""
    speech = np.zeros((1, bucket, features.shape[1]), np.float32)
    speech[0, : len(features)] = features
    mask = np.zeros((1, 1, bucket), np.float32)
    mask[..., : len(features)] = 1
    return speech, mask


def repeated(features: Features, bucket: int) -> Features:
    """(frames, dimensions) → (1, bucket, dimensions), repeated from its start: for models that have no mask."""
    return np.resize(features, (bucket, features.shape[1]))[None].astype(np.float32)
