"""What users named, made safe to show and to offer for download."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

MOST_BYTES = 140  # UTF-8, of a name
MOST_SUFFIX_BYTES = 20
MOST_TITLE = 30  # characters of a text that name it
UNNAMED = "unnamed"

_WINDOWS_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?=\.|$)")
_WINDOWS_CHARACTERS = re.compile(r'[<>:"|?*]')


def safe_name(name: str) -> str:
    """A file name for showing and downloading; files on the disk are named by uid.

    The last part of a path, without control, invisible and direction-changing characters, surrogates and
    what Windows refuses, at most 140 bytes with its extension kept. Applying it twice changes nothing.
    """
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = "".join(character for character in name if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co"))
    name = _WINDOWS_CHARACTERS.sub("_", name)
    name = unicodedata.normalize("NFC", " ".join(name.split()).strip(" ."))
    if _WINDOWS_RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name) or UNNAMED


def download_stem(file_name: str, text: str) -> str:
    """How a result is called, without its ending: as the recording is, else as the text begins."""
    if file_name:
        return safe_name(PurePosixPath(file_name).stem)
    return safe_name(text.strip().partition("\n")[0][:MOST_TITLE].rstrip("，。、；：,.;: "))


def _shortened(name: str) -> str:
    if len(name.encode()) <= MOST_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > MOST_SUFFIX_BYTES:
        suffix = ""
    stem = name[: len(name) - len(suffix)]
    room = MOST_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .") + suffix
