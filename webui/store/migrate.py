"""Opening the database file: what it is, whether this version may use it, and bringing it up to date.

alembic is imported only where there is something to migrate: it costs a good part of a second.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from webui.disk import ROOM_TO_WORK, free_bytes, worded
from webui.errors import UserError
from webui.store.database import Database
from webui.store.history_mark import DATABASE_ID
from webui.store.options import set_option
from webui.store.schema import settings
from webui.store.search import TOKENISER_VERSION, fill_index

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
_MAGIC = b"SQLite format 3\0"
_TOKENISER = "tokeniser"  # its key among the settings
_BACKUP_ROOM = 2.2  # free space wanted for the copy and the rebuild, in sizes of the database


class DatabaseRefused(UserError):
    """The file cannot be used as the database; `code` and `params` word why, for the administrator."""


def open_database(path: Path, backups: Path | None = None) -> Database:
    """Create or migrate the file where needed, and open it; never starts anew.

    `backups`: folder for the copy made before a migration (default: `backups` beside the file).
    Raises DatabaseRefused: the file is damaged, read-only, no database, or of a newer version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        revision = _revision(path)
        if revision != max(_known_revisions()):
            if revision is not None:
                _back_up(path, backups or path.parent / "backups", revision)
            _upgrade(path)
        _complete(path)
    except UserError as error:
        if error.code != "DISK_FULL":
            raise
        raise _no_room(path) from error
    except (DatabaseError, sqlite3.DatabaseError, OSError) as error:
        raise _refusal(path, error) from error
    return Database(path)


def _revision(path: Path) -> str | None:
    """The revision that the file is at; None for a file that is missing or empty. Raises DatabaseRefused."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise DatabaseRefused("DATABASE_FOREIGN", file=str(path))
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise DatabaseRefused("DATABASE_READ_ONLY", file=str(path))
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if tables & _VERSION else None
    if row is None:
        if tables - _VERSION:
            raise DatabaseRefused("DATABASE_FOREIGN", file=str(path))
        return None
    if row[0] not in _known_revisions():
        raise DatabaseRefused("DATABASE_NEWER", file=str(path), revision=row[0])
    return str(row[0])


_VERSION = {"alembic_version"}


def _known_revisions() -> set[str]:
    return {file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def _back_up(path: Path, backups: Path, revision: str) -> None:
    """A compact copy `pre-<revision>.db`. Raises DatabaseRefused without room for it."""
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < _BACKUP_ROOM * size:
        raise DatabaseRefused("DATABASE_NO_ROOM", file=str(path), size=f"{_BACKUP_ROOM * size / 1e9:.1f} GB")
    backups.mkdir(parents=True, exist_ok=True)
    copy, partial = backups / f"pre-{revision}.db", backups / f"pre-{revision}.part"
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.execute("VACUUM INTO ?", (str(partial),))
    partial.replace(copy)
    log.info("database copied to %s before its upgrade", copy)


def _upgrade(path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    database = Database(path)
    try:
        with database.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


def _complete(path: Path) -> None:
    """Give the database its random id, and a search index by this version's tokeniser, where it has none."""
    database = Database(path)
    try:
        if not _is_complete(database):
            with database.write() as connection:
                found = _options(connection)
                if DATABASE_ID not in found:
                    set_option(connection, DATABASE_ID, secrets.token_hex(16))
                if found.get(_TOKENISER) != TOKENISER_VERSION:
                    fill_index(connection)
                    set_option(connection, _TOKENISER, TOKENISER_VERSION)
    finally:
        database.close()


def _is_complete(database: Database) -> bool:
    with database.read() as connection:
        found = _options(connection)
    return DATABASE_ID in found and found.get(_TOKENISER) == TOKENISER_VERSION


def _options(connection: Connection) -> dict[str, Any]:
    return {row.key: row.value for row in connection.execute(settings.select())}


def _refusal(path: Path, error: Exception) -> DatabaseRefused:
    words = str(getattr(error, "orig", None) or error)
    if "readonly" in words or isinstance(error, PermissionError):
        return DatabaseRefused("DATABASE_READ_ONLY", file=str(path))
    if free_bytes(path) < ROOM_TO_WORK:  # SQLite says "disk I/O error"
        return _no_room(path)
    damaged = "malformed" in words or "not a database" in words
    return DatabaseRefused("DATABASE_DAMAGED" if damaged else "DATABASE_UNUSABLE", file=str(path), detail=words)


def _no_room(path: Path) -> DatabaseRefused:
    return DatabaseRefused("DATABASE_NO_ROOM", file=str(path), size=worded(ROOM_TO_WORK))
