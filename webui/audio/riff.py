"""RIFF/WAVE by the byte: the header of 16-bit PCM, the chunks of a file, and where its samples lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from webui.audio.units import Hertz

HEADER_BYTES = 44
UNKNOWN_LENGTH = 0xFFFFFFFF  # what streams write, whose length is not known yet


@dataclass(frozen=True)
class Chunk:
    """`offset`, `length`: of the payload, in bytes."""

    kind: bytes
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length + self.length % 2


@dataclass(frozen=True)
class PcmData:
    """Where 16-bit samples lie in a file."""

    rate: Hertz
    channels: int
    offset: int
    length: int


def header(rate: Hertz, channels: int, data_bytes: int | None, extra: bytes = b"") -> bytes:
    """The bytes before the samples of a 16-bit WAV; `extra`: whole chunks between format and data.

    `data_bytes` None: a stream of unknown length.
    """
    frame = 2 * channels
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, 16)
    body = b"WAVE" + form + extra
    if data_bytes is None:
        return b"RIFF" + struct.pack("<I", UNKNOWN_LENGTH) + body + b"data" + struct.pack("<I", UNKNOWN_LENGTH)
    length = len(body) + 8 + data_bytes
    return b"RIFF" + struct.pack("<I", length) + body + b"data" + struct.pack("<I", data_bytes)


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A whole chunk, padded to an even length."""
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of an open RIFF/WAVE file. Raises ValueError where it is none."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    at = 12
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        found = Chunk(kind, at + 8, min(length, size - at - 8))
        yield found
        at = found.end


def data_chunk(path: Path) -> PcmData:
    """Raises ValueError where the file is not a 16-bit PCM WAV."""
    with path.open("rb") as file:
        found = {chunk.kind: chunk for chunk in chunks(file)}
        if b"fmt " not in found or b"data" not in found:
            raise ValueError("a WAV file without format or data")
        file.seek(found[b"fmt "].offset)
        code, channels, rate, _bytes, _frame, bits = struct.unpack("<HHIIHH", file.read(16))
    if (code, bits) != (1, 16) or channels < 1:
        raise ValueError("not 16-bit PCM")
    return PcmData(rate, channels, found[b"data"].offset, found[b"data"].length)
