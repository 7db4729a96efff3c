"""The units of sound, as signatures name them."""

from __future__ import annotations

Seconds = float
Milliseconds = int
Hertz = int
