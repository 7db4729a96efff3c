"""Putting a backup back. What came after it is set aside, never lost; a kill at any moment leaves a start that opens
the old database or the new one, or refuses and says what to do: the same command again.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.audio.durable import move_into_place, part_of
from webui.disk import sha256
from webui.errors import UserError
from webui.settings import Settings
from webui.store.database import Database
from webui.store.history_mark import DATABASE_ID, MarkFile, mark_of
from webui.store.maintenance import check, checksum_in_manifest, newest_backup
from webui.store.migrate import DatabaseRefused, open_database
from webui.store.options import set_option
from webui.store.orphans import Quarantine, orphans, unfinished_jobs
from webui.store.stored_files import stored_files


@dataclass(frozen=True)
class Restored:
    """`verified`: the manifest held the checksum of `source`. `aside`: what was set aside, below `quarantine`.
    `copied`: files taken from the backup; `missing`: files that the database names and that are nowhere."""

    source: Path
    verified: bool
    quarantine: Path
    aside: int
    copied: int
    missing: int


def restore(settings: Settings, backup: Path) -> Restored:
    """For the holder of the work lock. `backup`: a database's copy, or a folder that `back_up` wrote, the newest in it.

    Raises UserError BACKUP_NONE, BACKUP_DAMAGED; DatabaseRefused; OSError. Before it changes anything.
    """
    source = newest_backup(backup) if backup.is_dir() else backup
    if not source.is_file():
        raise UserError("BACKUP_NONE", file=str(backup))
    verified = _verified(source)
    live = settings.database.resolve()
    part = _staged(source, live)
    quarantine = Quarantine(settings)
    _keep(live, quarantine)
    move_into_place(part, live)
    database = open_database(settings.database)
    try:
        named = _named_files(database, source.parent)
        lacking = [path for path, digest in named.items() if not _is_there(settings.data / path, digest)]
        found = [path for path in lacking if _is_there(source.parent / path, named[path])]
        aside = _set_aside(settings, database, quarantine, found)
        for path in found:
            _bring_back(source.parent / path, settings.data / path)
        missing = sum(not (settings.data / path).is_file() for path in named)
        MarkFile(settings.history_mark).put(mark_of(database))
    finally:
        database.close()
    return Restored(source, verified, quarantine.folder, aside, len(found), missing)


def _verified(source: Path) -> bool:
    expected = checksum_in_manifest(source)
    if expected is not None and sha256(source) != expected:
        raise UserError("BACKUP_DAMAGED", file=str(source), detail="SHA-256")
    return expected is not None


def _staged(source: Path, live: Path) -> Path:
    """A copy of the backup beside the database, looked at, up to date, and with an id of its own.

    From here on it has another history than the database that it replaces.
    """
    part = part_of(live)
    live.parent.mkdir(parents=True, exist_ok=True)
    _remove_with_log(part)
    try:
        for suffix in ("", "-wal"):  # a database that was set aside may have its log beside it
            if (log := _beside(source, suffix)).is_file():
                shutil.copyfile(log, _beside(part, suffix))
        if findings := check(part):
            raise UserError("BACKUP_DAMAGED", file=str(source), detail=findings[0])
        database = open_database(part, live.parent / "backups")
        with contextlib.closing(database), database.write() as connection:
            set_option(connection, DATABASE_ID, secrets.token_hex(16))
        _empty_log(part)
    except DatabaseRefused as error:
        _remove_with_log(part)
        raise DatabaseRefused(error.code, **{**error.params, "file": str(source)}) from error
    except BaseException:
        _remove_with_log(part)
        raise
    return part


def _keep(live: Path, quarantine: Quarantine) -> None:
    """The database so far goes to the quarantine as well; no log of it may stay, for SQLite would apply it."""
    with contextlib.suppress(sqlite3.Error):  # it may be the damaged one
        _empty_log(live)
    for suffix in ("", "-wal"):
        if (path := _beside(live, suffix)).is_file() and path.stat().st_size:
            quarantine.keep(path, path.name)
    for suffix in ("-wal", "-shm"):
        _beside(live, suffix).unlink(missing_ok=True)


def _named_files(database: Database, backup: Path) -> dict[Path, str | None]:
    """What the database needs, relative to data/, with its SHA-256 where that is known."""
    named: dict[Path, str | None] = {}
    for uid in unfinished_jobs(database):
        for root in ("uploads", "outputs"):
            named |= {path.relative_to(backup): None for path in (backup / root / uid).rglob("*") if path.is_file()}
    return named | {Path(file.path): file.sha256 for file in stored_files(database)}


def _is_there(path: Path, digest: str | None) -> bool:
    return path.is_file() and (digest is None or sha256(path) == digest)


def _set_aside(settings: Settings, database: Database, quarantine: Quarantine, found: Sequence[Path]) -> int:
    """Move what the restored database does not know; keep what its unfinished jobs would make again and what `found`
    overwrites. How many files and folders."""
    moved = orphans(settings, database)
    for path in moved:
        quarantine.take(path)
    unfinished = {settings.outputs / uid for uid in unfinished_jobs(database)}
    overwritten = [path for name in found if unfinished.isdisjoint((path := settings.data / name).parents)]
    kept = [path for path in (*unfinished, *overwritten) if path.exists()]
    for path in kept:
        quarantine.keep(path)
    return len(moved) + len(kept)


def _bring_back(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, part_of(target))
    move_into_place(part_of(target), target)


def _empty_log(path: Path) -> None:
    """Everything in the one file. Raises sqlite3.Error."""
    if path.is_file() and path.stat().st_size:
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _remove_with_log(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
