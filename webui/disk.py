"""Room on the disk, the one error for having none, and the checksum of a file."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from webui.errors import UserError

_BLOCK = 2**20  # bytes read at once
ROOM_TO_WORK = 16 * 10**6  # bytes free, below which no job is worked on after the disk was full


def free_bytes(path: Path) -> int:
    """Of the file system that holds `path`, or its nearest folder that is there."""
    return _usage(path).free


def total_bytes(path: Path) -> int:
    """The size of that file system."""
    return _usage(path).total


def _usage(path: Path) -> shutil._ntuple_diskusage:
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists()))


def disk_full(path: Path) -> UserError:
    """The error that says how much is left."""
    return UserError("DISK_FULL", free=worded(free_bytes(path)))


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex, at constant memory. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def worded(size: int) -> str:
    """A number of bytes for a message: 320 MB, 1.5 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
