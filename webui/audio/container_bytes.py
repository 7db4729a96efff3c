"""What the bytes of a container say that FFmpeg passes over: files cut off, headers that cannot be."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_OGG_PAGE, _OGG_END = 27 + 255 + 255 * 255, 4  # a page's most bytes; the flag of a stream's last

# What streaming programs write for a WAV's length, not knowing it yet.
_LENGTH_UNKNOWN = {0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFDB}


def has_xing(path: Path) -> bool:
    """True where an MP3's first frame states its true number of frames (after any ID3 tag)."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        frame = file.read(2048)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def is_cut_off(path: Path) -> bool:
    """True where the file ends before its container does, of those that FFmpeg reads without a word."""
    return is_cut_off_wav(path) or is_cut_off_ogg(path)


def is_cut_off_wav(path: Path) -> bool:
    """True where a WAV's header promises more samples than the file holds."""
    for kind, at, length in riff_chunks(path):
        if kind == b"data":
            return length not in _LENGTH_UNKNOWN and at + length > path.stat().st_size
    return False


def is_cut_off_ogg(path: Path) -> bool:
    """True where an Ogg file's last page is not whole or not marked as the end of its stream (RFC 3533, 6)."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, path.stat().st_size - _OGG_PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS\0")
    page = tail[at:] if at >= 0 else b""
    sizes = page[27 : 27 + sum(page[26:27])]
    whole = len(page) > 26 and len(page) >= 27 + page[26] + sum(sizes)
    return not whole or not page[5] & _OGG_END


def is_impossible_wav(path: Path) -> bool:
    """True where a PCM WAV's samples are no whole number of bytes and its frames have another size than theirs."""
    for kind, at, length in riff_chunks(path):
        if kind == b"fmt " and length >= 16:
            with path.open("rb") as file:
                file.seek(at)
                code, channels, _rate, _bytes, frame, bits = struct.unpack("<HHIIHH", file.read(16).ljust(16, b"\0"))
            return code == 1 and bits % 8 != 0 and frame != channels * -(-bits // 8)
    return False


def riff_chunks(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each chunk of a WAV, as its header has them; none of another file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 12 if file.read(4) == b"RIFF" else size
        while at + 8 <= size:
            file.seek(at)
            kind, length = struct.unpack("<4sI", file.read(8))
            yield kind, at + 8, length
            at += 8 + length + length % 2
