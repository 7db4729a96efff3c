"""The waveform as everything here hands it on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # -1…1, shape (n,), mono
