"""Files that are either whole or not there: written beside, flushed to the disk, moved into place."""

from __future__ import annotations

import os
from pathlib import Path


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(path.name + ".part")


def move_into_place(part: Path, path: Path) -> None:
    """Replace `path` by the finished `part`, so that it survives a power cut."""
    _flush(part)
    part.replace(path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
