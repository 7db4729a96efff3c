"""How well an exported file agrees with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def relative_error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The relative L2 error: |found - wanted| / |wanted|."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
