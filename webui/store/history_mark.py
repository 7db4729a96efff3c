"""What a data folder remembers of its database, so that a start with another or an older one is noticed.

`history.mark` repeats the random id of the database, and how far its history had come when it took in the newest job.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from webui.store.database import Database
from webui.store.schema import settings
from webui.store.transitions import current_change

log = logging.getLogger(__name__)

DATABASE_ID = "database_id"  # its key among the settings
_LENGTH = 100  # bytes of the file: it is overwritten in its place, in one write, on a full disk too


@dataclass(frozen=True)
class Mark:
    """`id`: the database's own, random; `change`: a number of the sequence that all changes of jobs share."""

    id: str
    change: int


def mark_of(database: Database) -> Mark:
    with database.read() as connection:
        return mark_in(connection)


def mark_in(connection: Connection) -> Mark:
    """As of this transaction; to be written down once it is committed."""
    identity = connection.execute(select(settings.c.value).where(settings.c.key == DATABASE_ID)).scalar_one()
    return Mark(identity, current_change(connection))


class MarkFile:
    """Thread-safe, and safe beside other processes. A mark that cannot be written fails nothing: it is a safeguard."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mark | None:
        """None where there is none, or what is there is none."""
        try:
            return _parsed(self._path.read_bytes())
        except FileNotFoundError:
            return None

    def put(self, mark: Mark) -> None:
        """On the disk before this returns."""
        self._write(mark, only_forward=False)

    def advance(self, mark: Mark) -> None:
        """`put`, where the file does not already hold a later mark of the same database."""
        self._write(mark, only_forward=True)

    def _write(self, mark: Mark, only_forward: bool) -> None:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            log.exception("%s cannot be written", self._path)
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            there = _parsed(os.pread(file, _LENGTH, 0))
            if not (only_forward and there and there.id == mark.id and there.change >= mark.change):
                os.pwrite(file, json.dumps(asdict(mark)).encode().ljust(_LENGTH - 1) + b"\n", 0)
                os.fsync(file)
        except OSError:
            log.exception("%s cannot be written", self._path)
        finally:
            os.close(file)


def _parsed(content: bytes) -> Mark | None:
    try:
        given = json.loads(content)
        return Mark(str(given["id"]), int(given["change"]))
    except (ValueError, KeyError, TypeError):
        return None
