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
    """A file of the program's own. Raises OSError, ValueError."""
    return parse_toml(path.read_text(encoding="utf-8-sig"))


def parse_toml(text: str) -> dict[str, Any]:
    """Raises ValueError for what is no TOML, RecursionError for what is nested too deep."""
    return tomllib.loads(text)
