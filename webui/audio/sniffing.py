"""What a file is by its first bytes, so that a refusal can name it. Reads bytes only; decodes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

HEAD_BYTES = 8192
EIGHT_BIT_TEXT = "TXT (8-bit)"  # GB18030 and the like; or raw A-law that begins with silence


@dataclass(frozen=True)
class Sniffed:
    """`kind`: audio (or what may hold it), unsupported (playlists, scripts, foreign codecs), other, unknown."""

    kind: Literal["audio", "unsupported", "other", "unknown", "empty"]
    name: str


_AUDIO: tuple[tuple[bytes, int, str], ...] = (
    (b"WAVE", 8, "WAV"),
    (b"RF64", 0, "WAV"),
    (b"riff\x2e\x91\xcf\x11", 0, "W64"),
    (b"RIFF", 0, "RIFF"),
    (b"fLaC", 0, "FLAC"),
    (b"OggS", 0, "OGG"),
    (b"ID3", 0, "MP3"),
    (b"ftyp", 4, "MP4"),
    (b"moov", 4, "MP4"),
    (b"mdat", 4, "MP4"),
    (b"\x1a\x45\xdf\xa3", 0, "MATROSKA"),
    (b"#!AMR", 0, "AMR"),
    (b"caff", 0, "CAF"),
    (b"FORM", 0, "AIFF"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, "WMA"),
    (b"FLV\x01", 0, "FLV"),
    (b".snd", 0, "AU"),
    (b"NIST_1A", 0, "NIST"),
    (b"wvpk", 0, "WAVPACK"),
    (b"TTA1", 0, "TTA"),
    (b"MAC ", 0, "APE"),
    (b"MP+", 0, "MUSEPACK"),
    (b"MPCK", 0, "MUSEPACK"),
    (b".RMF", 0, "REALMEDIA"),
    (b"\x00\x00\x01\xba", 0, "MPEG"),
    (b"\x0b\x77", 0, "AC3"),
)
_UNDECODABLE: tuple[tuple[bytes, int, str], ...] = (
    (b"\x02#!SILK", 0, "SILK"),
    (b"#!SILK", 0, "SILK"),
    (b"OFR ", 0, "OPTIMFROG"),
    (b"RIFX", 0, "RIFX"),
)
_OTHER: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG", 0, "PNG"),
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"GIF8", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"II*\x00", 0, "TIFF"),
    (b"MM\x00*", 0, "TIFF"),
    (b"WEBP", 8, "WEBP"),
    (b"%PDF", 0, "PDF"),
    (b"%!PS", 0, "POSTSCRIPT"),
    (b"PK\x03\x04", 0, "ZIP"),
    (b"PK\x05\x06", 0, "ZIP"),
    (b"Rar!", 0, "RAR"),
    (b"7z\xbc\xaf", 0, "7Z"),
    (b"\x1f\x8b", 0, "GZIP"),
    (b"BZh", 0, "BZIP2"),
    (b"\xfd7zXZ", 0, "XZ"),
    (b"MZ", 0, "EXE"),
    (b"\x7fELF", 0, "ELF"),
    (b"\xca\xfe\xba\xbe", 0, "MACHO"),
    (b"\xd0\xcf\x11\xe0", 0, "OFFICE"),
    (b"SQLite format 3", 0, "SQLITE"),
    (b"MThd", 0, "MIDI"),
)
_SCRIPTS: tuple[tuple[str, str], ...] = (
    (r"ffconcat\s+version", "FFCONCAT"),
    (r"#EXTM3U|#EXTINF|#EXT-X-", "M3U8"),
    (r"v=0\s+o=", "SDP"),
    (r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:MPD|SmoothStreamingMedia)\b", "DASH"),
    (r"(?:<\?(?:xml|wpl)[^>]*>\s*)?<(?:playlist|asx|smil)\b", "PLAYLIST"),
    (r"\[playlist\]|\[Reference\]|RTSPtext", "PLAYLIST"),
    (r";FFMETADATA", "FFMETADATA"),
    (r"#!|<\?php|<script\b|@echo\b|\[InternetShortcut\]", "SCRIPT"),
    (r"file ['\"]|(?:file|https?|rtsp|rtmp|ftp)://", "PLAYLIST"),
)
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"<!doctype html|<html\b", "HTML"),
    (r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<svg\b", "SVG"),
    (r"<\?xml", "XML"),
    (r"WEBVTT", "VTT"),
    (r"\d+\s*\n\d\d:\d\d:\d\d,\d{3} -->", "SRT"),
    (r"[\[{]", "JSON"),
)


_MOST_BOXES = 1000
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def sniff(path: Path) -> Sniffed:
    """Name the file at `path`. Raises OSError."""
    with path.open("rb") as file:
        return sniff_bytes(file.read(HEAD_BYTES))


def sniff_bytes(head: bytes) -> Sniffed:
    """Name a file by its first bytes (at most `HEAD_BYTES` are looked at)."""
    head = head[:HEAD_BYTES]
    if not head:
        return Sniffed("empty", "0 bytes")
    if name := _magic(head, _AUDIO):
        return Sniffed("other", "WEBP") if head[8:12] == b"WEBP" else Sniffed("audio", name)
    if name := _magic(head, _UNDECODABLE):
        return Sniffed("unsupported", name)
    text = _as_text(head)
    if text is not None:
        return _sniff_text(text)
    if len(head) > 64 and not _CONTROLS.search(head.decode("latin-1")):
        return Sniffed("other", EIGHT_BIT_TEXT)
    if name := _magic(head, _OTHER):
        return Sniffed("other", name)
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return Sniffed("audio", "MPEG")
    return Sniffed("unknown", "BINARY")


def is_cut_off_mp4(path: Path) -> bool:
    """True where an MP4's top-level boxes end before `moov`, without which nothing in it can be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for _box in range(_MOST_BOXES):
            length, kind = _box_head(file)
            if kind == b"moov":
                return file.tell() + length > size
            if length < 0 or file.tell() + length >= size:
                return True
            file.seek(length, 1)
    return False


def _box_head(file: BinaryIO) -> tuple[int, bytes]:
    """The bytes that follow a box's head, and its kind; a negative length where there is no sound head."""
    head = file.read(8)
    length, kind = int.from_bytes(head[:4], "big"), head[4:]
    if length == 1:
        return int.from_bytes(file.read(8), "big") - 16, kind
    return length - 8, kind


def _magic(head: bytes, table: tuple[tuple[bytes, int, str], ...]) -> str | None:
    return next((name for magic, at, name in table if head[at : at + len(magic)] == magic), None)


def _as_text(head: bytes) -> str | None:
    """The text, where the bytes are UTF-8 or UTF-16 without control characters beside white space."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        text = head.decode("utf-8-sig", "replace")
    damaged = text.count("\ufffd")
    return None if damaged > 1 or _CONTROLS.search(text) else text  # one: a character cut at the end of the head


def _sniff_text(text: str) -> Sniffed:
    text = text.lstrip()
    for pattern, name in _SCRIPTS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return Sniffed("unsupported", name)
    for pattern, name in _TEXTS:
        if re.match(pattern, text, re.IGNORECASE | re.DOTALL):
            return Sniffed("other", name)
    return Sniffed("other", "TXT")
