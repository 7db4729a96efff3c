"""Files on their way in: written once under `data/cache/incoming`, then moved to the job or voice they belong to."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from webui.audio.durable import move_into_place
from webui.disk import disk_full, free_bytes
from webui.settings import Settings

BLOCK = 2**20  # bytes copied at a time


@dataclass(frozen=True)
class Upload:
    """A complete file, ours to move. `name` is the user's and only ever shown; `size` in bytes."""

    path: Path
    name: str
    size: int
    sha256: str

    def move_to(self, target: Path) -> None:
        """Take the file to its place, on the disk before this returns. Raises DISK_FULL."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            move_into_place(self.path, target)
        except OSError as error:
            raise disk_full(target.parent) from error

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


@dataclass
class Incoming:
    """A file being written. `finish` gives the Upload; left otherwise, nothing stays on disk."""

    folder: Path
    name: str
    size: int = 0
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / f"{uuid.uuid4().hex}.part"
        self._file = self.path.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        """Raises DISK_FULL."""
        try:
            self._file.write(data)
        except OSError as error:
            raise disk_full(self.folder) from error
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> Upload:
        """Raises DISK_FULL."""
        try:
            self._file.close()
        except OSError as error:
            raise disk_full(self.folder) from error
        return Upload(self.path, self.name, self.size, self._digest.hexdigest())

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if kind is not None:
            self.abandon()


def incoming_folder(settings: Settings) -> Path:
    """Where uploads are written before they belong to anything; emptied at start."""
    return settings.cache / "incoming"


def clear_incoming(settings: Settings) -> None:
    """Remove what an earlier process left half-way. Only for the holder of the data folder's lock."""
    shutil.rmtree(incoming_folder(settings), ignore_errors=True)


def copy_in(path: Path, settings: Settings) -> Upload:
    """A copy of a file of this machine, as if it had been uploaded. Raises OSError or DISK_FULL."""
    with path.open("rb") as source, Incoming(incoming_folder(settings), path.name) as incoming:
        for block in _blocks(source):
            incoming.write(block)
        return incoming.finish()


def check_space(settings: Settings, expected: int = 0) -> None:
    """Raises DISK_FULL when `expected` more bytes would touch the reserve."""
    settings.data.mkdir(parents=True, exist_ok=True)
    if free_bytes(settings.data) - expected < settings.disk_reserve_bytes:
        raise disk_full(settings.data)


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(BLOCK):
        yield block
