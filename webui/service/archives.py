"""ZIP archives of recordings: opened without trusting a word they say about themselves."""

from __future__ import annotations

import contextlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from webui.errors import Notice, UserError
from webui.service.uploads import BLOCK, Incoming, Upload
from webui.text.file_names import safe_name

MAX_FILES = 500
MAX_FILE_BYTES = 512 * 2**20
MAX_TOTAL_BYTES = 2 * 2**30  # of all archives of a request
MAX_RATIO = 200  # unpacked bytes per packed byte
RATIO_FREE_BYTES = 2**20  # the ratio of small files says nothing: silence packs well
MAX_DIRECTORY_BYTES = 2 * 2**20  # of the list of contents, which is read at once

_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_IGNORED = ("__macosx", "thumbs.db", "desktop.ini")


def is_archive(path: Path) -> bool:
    """Whether the file is a ZIP by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) in _ARCHIVES[:2]


def count(archive: Upload) -> int:
    """How many recordings `unpack` would give, by the archive's list of contents. Raises BAD_ARCHIVE."""
    with _opened(archive) as opened:
        return len(list(_entries(opened, archive.name)))


def unpack(archive: Upload, folder: Path, room: int, go_on: Callable[[], None] = lambda: None) -> list[Upload]:
    """The recordings in a ZIP, each a file of its own in `folder`, together at most `room` bytes.

    Hidden and system files are left out. `go_on`, called before each, ends the work by raising. Raises BAD_ARCHIVE or
    DISK_FULL; nothing stays on disk then.
    """
    uploads: list[Upload] = []
    try:
        with _opened(archive) as opened:
            for entry in _entries(opened, archive.name):
                go_on()
                uploads.append(_extract(opened, entry, archive.name, folder, room))
                room -= uploads[-1].size
    except BaseException:
        for upload in uploads:
            upload.discard()
        raise
    return uploads


@contextlib.contextmanager
def _opened(archive: Upload) -> Iterator[zipfile.ZipFile]:
    try:
        with archive.path.open("rb") as file, zipfile.ZipFile(cast(IO[bytes], _Bounded(file))) as opened:
            yield opened
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise _bad(archive.name, "ARCHIVE_DAMAGED") from error


def entry_name(info: zipfile.ZipInfo) -> str:
    """The entry's name without its folders; names without the UTF-8 flag are UTF-8 or GBK in practice."""
    name = info.filename
    if not info.flag_bits & 0x800:
        raw = info.orig_filename.encode("cp437", "replace")
        for encoding in ("utf-8", "gbk"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _entries(opened: zipfile.ZipFile, archive_name: str) -> Iterator[zipfile.ZipInfo]:
    entries = [info for info in opened.infolist() if not info.is_dir() and not _ignored(info.filename)]
    if len(entries) > MAX_FILES:
        raise _bad(archive_name, "ARCHIVE_TOO_MANY", most=MAX_FILES)
    if not entries:
        raise _bad(archive_name, "ARCHIVE_EMPTY")
    for info in entries:
        if info.flag_bits & 0x1:
            raise _bad(archive_name, "ARCHIVE_ENCRYPTED")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _bad(archive_name, "ARCHIVE_LINK")
        yield info


def _ignored(name: str) -> bool:
    parts = name.replace("\\", "/").lower().split("/")
    return parts[-1].startswith(".") or any(part in _IGNORED for part in parts)


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, archive_name: str, folder: Path, room: int) -> Upload:
    most = min(MAX_FILE_BYTES, room, max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size))
    with opened.open(info) as source, Incoming(folder, entry_name(info)) as incoming:
        while block := source.read(BLOCK):
            if incoming.size == 0 and block.startswith(_ARCHIVES):
                raise _bad(archive_name, "ARCHIVE_NESTED")
            if incoming.size + len(block) > most:
                raise _bad(archive_name, "ARCHIVE_TOO_LARGE")
            incoming.write(block)
        return incoming.finish()


class _Bounded:
    """A file that refuses huge reads: zipfile takes the size of the list of contents from the archive itself."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("list of contents too long")
        return self._file.read(size)


def _bad(archive_name: str, reason: str, **params: object) -> UserError:
    why = Notice(reason, params)
    return UserError("BAD_ARCHIVE", param="file", file=safe_name(archive_name), reason=why)
