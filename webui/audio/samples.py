"""The waveform as everything here hands it on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # -1…1, shape (n,), mono


def to_float32(samples: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.float32]:
    """16-bit samples in -1…1; those that are float already are copied. Keeps the shape."""
    floats = samples.astype(np.float32)
    if samples.dtype == np.int16:
        floats /= 32768
    return floats


def to_int16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """float32 in -1…1 to 16 bits, clipped."""
    return np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
