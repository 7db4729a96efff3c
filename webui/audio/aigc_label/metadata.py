"""The AIGC field of a sound file by the byte: WAV chunk, MP3 ID3 frame, FLAC and Ogg Vorbis comment.

Reading gives every value found, so that a second label shows; writing leaves exactly one and does not touch
the sound. Files are rewritten beside and moved into place.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from webui.audio import riff
from webui.audio.durable import move_into_place, part_of

FIELD = "AIGC"
MOST_TAG_BYTES = 32 << 20


class NoPlace(ValueError):
    """The container has no place for the field, or is not what it seems."""


def read_field(path: Path) -> list[str]:
    """Every AIGC value in the file, in order; none for a container without a place. Raises OSError."""
    with path.open("rb") as file:
        container = _container(file)
        return container.read(file) if container else []


def write_field(path: Path, value: str) -> None:
    """Set the AIGC value, replacing any. Raises NoPlace, OSError."""
    part = part_of(path)
    with path.open("rb") as source:
        container = _container(source)
        if container is None:
            raise NoPlace(path.name)
        with part.open("wb") as target:
            container.write(source, target, value)
    move_into_place(part, path)


# WAV: a chunk of its own


def _read_wav(file: BinaryIO) -> list[str]:
    return [_at(file, chunk.offset, chunk.length).decode("utf-8", "replace") for chunk in _labels(file)]


def _labels(file: BinaryIO) -> list[riff.Chunk]:
    return [chunk for chunk in riff.chunks(file) if chunk.kind == b"AIGC"]


def _write_wav(source: BinaryIO, target: BinaryIO, value: str) -> None:
    kept = [chunk for chunk in riff.chunks(source) if chunk.kind != b"AIGC"]
    if not any(chunk.kind == b"fmt " for chunk in kept):
        raise NoPlace("a WAV file without a format")
    target.write(b"RIFF\0\0\0\0WAVE")
    for chunk in kept:
        target.write(struct.pack("<4sI", chunk.kind, chunk.length))
        source.seek(chunk.offset)
        _copy(source, target, chunk.length)
        target.write(b"\0" * (chunk.length % 2))
        if chunk.kind == b"fmt ":
            target.write(riff.chunk(b"AIGC", value.encode("ascii")))
    length = target.tell() - 8
    target.seek(4)
    target.write(struct.pack("<I", length))


# MP3: a TXXX frame of an ID3v2.3 or 2.4 tag at the start


@dataclass(frozen=True)
class _Id3:
    version: int
    frames: tuple[tuple[bytes, bytes, bytes], ...]  # (id, flags, payload)
    length: int  # of the whole tag, bytes


def _read_mp3(file: BinaryIO) -> list[str]:
    values = [_txxx(payload) for kind, _flags, payload in _id3(file).frames if kind == b"TXXX"]
    return [value for description, value in values if description == FIELD]


def _write_mp3(source: BinaryIO, target: BinaryIO, value: str) -> None:
    tag = _id3(source)
    kept = [f for f in tag.frames if not (f[0] == b"TXXX" and _txxx(f[2])[0] == FIELD)]
    kept.append((b"TXXX", b"\0\0", b"\0" + FIELD.encode() + b"\0" + value.encode("ascii")))
    body = b"".join(kind + _number(len(data), tag.version) + flags + data for kind, flags, data in kept)
    target.write(b"ID3" + bytes((tag.version, 0, 0)) + _number(len(body), 4) + body)
    source.seek(tag.length)
    shutil.copyfileobj(source, target)


def _id3(file: BinaryIO) -> _Id3:
    head = _at(file, 0, 10)
    if head[:3] != b"ID3" or head[3] not in (3, 4):
        return _Id3(4, (), 0)
    version, flags, size = head[3], head[5], _decoded(head[6:10], 4)
    if flags & 0x80:
        raise NoPlace("an unsynchronised ID3 tag")
    body = file.read(min(size, MOST_TAG_BYTES))
    at = 0
    if flags & 0x40:  # an extended header, whose size counts itself in 2.4 only
        at = _decoded(body[:4], version) + (0 if version == 4 else 4)
    frames = []
    while at + 10 <= len(body) and body[at] != 0:
        length = _decoded(body[at + 4 : at + 8], version)
        frames.append((body[at : at + 4], body[at + 8 : at + 10], body[at + 10 : at + 10 + length]))
        at += 10 + length
    return _Id3(version, tuple(frames), 10 + size + (10 if flags & 0x10 else 0))


def _txxx(payload: bytes) -> tuple[str, str]:
    encoding = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}.get(payload[0] if payload else 0, "latin-1")
    description, _, value = payload[1:].decode(encoding, "replace").partition("\0")
    return description, value.lstrip("\ufeff").rstrip("\0")


def _number(value: int, version: int) -> bytes:
    """Four bytes: seven bits each from ID3v2.4 on, eight before."""
    bits = 7 if version == 4 else 8
    return bytes(value >> bits * place & (1 << bits) - 1 for place in (3, 2, 1, 0))


def _decoded(data: bytes, version: int) -> int:
    bits = 7 if version == 4 else 8
    value = 0
    for byte in data:
        value = value << bits | byte
    return value


# Vorbis comments, of FLAC and Ogg


def _comments(data: bytes) -> tuple[bytes, list[bytes]]:
    """The vendor and the entries. Raises NoPlace."""
    try:
        length = struct.unpack_from("<I", data)[0]
        vendor, at = data[4 : 4 + length], 4 + length
        count, at = struct.unpack_from("<I", data, at)[0], at + 4
        entries = []
        for _ in range(count):
            length = struct.unpack_from("<I", data, at)[0]
            entries.append(data[at + 4 : at + 4 + length])
            at += 4 + length
    except struct.error:
        raise NoPlace("broken comments") from None
    return vendor, entries


def _with_label(data: bytes, value: str) -> bytes:
    vendor, entries = _comments(data)
    entries = [entry for entry in entries if not _is_label(entry)] + [f"{FIELD}={value}".encode()]
    packed = b"".join(struct.pack("<I", len(entry)) + entry for entry in entries)
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(entries)) + packed


def _label_values(data: bytes) -> list[str]:
    return [entry[len(FIELD) + 1 :].decode("utf-8", "replace") for entry in _comments(data)[1] if _is_label(entry)]


def _is_label(entry: bytes) -> bool:
    return entry.upper().startswith(FIELD.encode() + b"=")


_FLAC_COMMENT = 4


def _flac_blocks(file: BinaryIO) -> list[tuple[int, bytes]]:
    """The metadata blocks (type, payload); the file is left at the first frame."""
    file.seek(4)
    blocks = []
    while True:
        head = file.read(4)
        if len(head) < 4:
            raise NoPlace("a broken FLAC file")
        blocks.append((head[0] & 0x7F, file.read(int.from_bytes(head[1:], "big"))))
        if head[0] & 0x80:
            return blocks


def _read_flac(file: BinaryIO) -> list[str]:
    return [value for kind, data in _flac_blocks(file) if kind == _FLAC_COMMENT for value in _label_values(data)]


def _write_flac(source: BinaryIO, target: BinaryIO, value: str) -> None:
    blocks = _flac_blocks(source)
    comment = next((data for kind, data in blocks if kind == _FLAC_COMMENT), struct.pack("<II", 0, 0))
    blocks = [block for block in blocks if block[0] != _FLAC_COMMENT]
    blocks.insert(1, (_FLAC_COMMENT, _with_label(comment, value)))
    target.write(b"fLaC")
    for number, (kind, data) in enumerate(blocks):
        last = 0x80 if number == len(blocks) - 1 else 0
        target.write(bytes([kind | last]) + len(data).to_bytes(3, "big") + data)
    shutil.copyfileobj(source, target)


# Ogg Opus: the second packet, on a page of its own

_OPUS_TAGS = b"OpusTags"


def _read_ogg(file: BinaryIO) -> list[str]:
    return _label_values(_opus_comments(file)[1])


def _write_ogg(source: BinaryIO, target: BinaryIO, value: str) -> None:
    head, comments = _opus_comments(source)
    rest = source.tell()
    packet = _OPUS_TAGS + _with_label(comments, value)
    if len(packet) >= 255 * 255:
        raise NoPlace("the comments do not fit on a page")
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    page = head[:22] + b"\0\0\0\0" + bytes([len(lacing)]) + lacing + packet
    source.seek(0)
    _copy(source, target, rest - len(head) - _page_body(head))
    target.write(page[:22] + struct.pack("<I", _ogg_crc(page)) + page[26:])
    source.seek(rest)
    shutil.copyfileobj(source, target)


def _opus_comments(file: BinaryIO) -> tuple[bytes, bytes]:
    """The head of the page that holds the comments, and the comments; the file is left behind that page.

    Raises NoPlace where they take several pages or the stream is no Opus.
    """
    file.seek(0)
    for _page in range(2):
        head = file.read(27)
        if len(head) < 27 or head[:4] != b"OggS":
            raise NoPlace("a broken Ogg file")
        head += file.read(head[26])
        body = file.read(_page_body(head))
    if not body.startswith(_OPUS_TAGS) or head[-1] == 255:
        raise NoPlace("no Opus comments on one page")
    return head, body[len(_OPUS_TAGS) :]


def _page_body(head: bytes) -> int:
    return sum(head[27:])


def _ogg_crc(page: bytes) -> int:
    """CRC-32 with polynomial 0x04c11db7, not reflected (RFC 3533, section 6)."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


# Which is which


@dataclass(frozen=True)
class _Container:
    read: Callable[[BinaryIO], list[str]]
    write: Callable[[BinaryIO, BinaryIO, str], None]


def _container(file: BinaryIO) -> _Container | None:
    head = _at(file, 0, 12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return _Container(_read_wav, _write_wav)
    if head[:4] == b"fLaC":
        return _Container(_read_flac, _write_flac)
    if head[:4] == b"OggS":
        return _Container(_read_ogg, _write_ogg)
    is_mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6)  # a layer, so not ADTS
    return _Container(_read_mp3, _write_mp3) if head[:3] == b"ID3" or is_mpeg else None


def _at(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(min(length, MOST_TAG_BYTES))


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        data = source.read(min(length, 1 << 20))
        if not data:
            return
        target.write(data)
        length -= len(data)
