"""Reading TOML on every supported Python (3.10 has no tomllib)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """With or without a byte order mark. Raises OSError, or ValueError for a file that is no TOML in UTF-8."""
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))
