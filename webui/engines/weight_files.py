"""Whether a file of weights is there and whole, as far as its ends tell; no tensor is read."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

from webui.errors import Notice

_LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the head of torch's format before its zip archives
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/")
_LARGEST_POINTER = 1024  # bytes
_LARGEST_HEADER = 64 * 2**20  # bytes, of a .safetensors
_LARGEST_DIRECTORY = 2**20  # bytes, of a zip archive; a large model has a thousand tensors of a hundred bytes each
_ZIP_TAIL = 2**16 + 22 + 20 + 56  # bytes that may hold the end of a zip archive, comment included
_TORCH = (".pt", ".pth")
_ZIP = b"PK"


def problem_of(file: Path, name: str | None = None, *, torch: bool = False) -> Notice | None:
    """Why the weights in `file` cannot be used, calling it `name`; None where nothing is seen to be wrong.

    `torch`: it has to be torch's, whatever its ending. A `.bin` may be of any format, CTranslate2's for one.
    """
    name = name or file.name
    try:
        size = file.stat().st_size
        if not file.is_file():
            return Notice("FILE_ODD", {"file": name})
        with file.open("rb") as opened:
            head = opened.read(64)
    except PermissionError:
        return Notice("FILE_LOCKED", {"file": name})
    except OSError:
        return Notice("LINK_BROKEN" if file.is_symlink() else "FILE_MISSING", {"file": name})
    if size == 0:
        return Notice("FILE_EMPTY", {"file": name})
    if size <= _LARGEST_POINTER and _POINTER.match(head):
        return Notice("FILE_LFS_POINTER", {"file": name, "size": size})
    return None if _whole(file, head, torch) else Notice("FILE_DAMAGED", {"file": name})


def is_torch(file: Path) -> bool:
    """Whether it is an archive that torch wrote: a zip with its end, or of the format before, whose end nobody sees."""
    try:
        if _is_legacy(file):
            return True
        if _directory_bytes(file) > _LARGEST_DIRECTORY:
            return False
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def is_sound(file: Path) -> bool:
    """Whether all of a torch archive is as it was written: each part of a zip has a checksum, older ones none."""
    try:
        if _is_legacy(file):
            return True
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _is_legacy(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(_LEGACY)) == _LEGACY


def _directory_bytes(file: Path) -> int:
    """What the end of a zip archive says of its directory, all of which zipfile reads: 0 where there is no end."""
    with file.open("rb") as opened:
        opened.seek(-min(file.stat().st_size, _ZIP_TAIL), os.SEEK_END)
        tail = opened.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + 22:
        return 0
    large = end - 20 - 56  # the 64-bit end and its locator, which outrank it where they are there
    if large >= 0 and tail[large:].startswith(b"PK\6\6") and tail[end - 20 :].startswith(b"PK\6\7"):
        return int.from_bytes(tail[large + 40 : large + 48], "little")
    return int.from_bytes(tail[end + 12 : end + 16], "little")


def _whole(file: Path, head: bytes, torch: bool) -> bool:
    if torch or file.suffix in _TORCH or (file.suffix == ".bin" and head.startswith(_ZIP)):
        return is_torch(file)
    return file.suffix != ".safetensors" or _whole_safetensors(file, int.from_bytes(head[:8], "little"))


def _whole_safetensors(file: Path, length: int) -> bool:
    """8 bytes length of the JSON header, the header, the tensors (the format's specification)."""
    size = file.stat().st_size
    if not 0 < length <= min(size - 8, _LARGEST_HEADER):
        return False
    with file.open("rb") as opened:
        opened.seek(8)
        try:
            header = json.loads(opened.read(length))
            ends = [tensor["data_offsets"][1] for key, tensor in header.items() if key != "__metadata__"]
            return size == 8 + length + max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return False
