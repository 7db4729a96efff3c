"""Backups and checks, beside a running server: both only read the live database."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from webui.disk import sha256
from webui.errors import UserError
from webui.settings import Settings

_MOST_SHOWN = 20
_MANIFEST = "manifest.json"


def back_up(settings: Settings, folder: Path, media: bool = False) -> Path:
    """A copy of the database in `folder`, named by the time; returns its path. Raises OSError, sqlite3.Error.

    With `media` the recordings, results and voices are copied beside it, those not there yet; `manifest.json`
    holds the SHA-256 of every database in `folder` and the number of files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    target = folder / f"history-{stamp}.db"
    part = target.with_suffix(".part")
    try:
        # In one step: between two steps a commit of another process makes SQLite begin anew, and a busy server never
        # lets it end. Readers and writers of a WAL database go on meanwhile.
        with closing(_read_only(settings.database)) as live, closing(sqlite3.connect(part)) as copy:
            live.backup(copy)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    copied = sum(_copy_tree(root, folder / root.name) for root in _media(settings)) if media else 0
    digest = sha256(target)
    databases = {**_checksums(folder), target.name: digest}
    manifest = {"database": target.name, "sha256": digest, "files_copied": copied, "created_at": stamp}
    (folder / _MANIFEST).write_text(json.dumps({**manifest, "databases": databases}, indent=1), encoding="utf-8")
    return target


def newest_backup(folder: Path) -> Path:
    """The database that `back_up` wrote last into `folder`. Raises UserError BACKUP_NONE."""
    copies = sorted(folder.glob("history-*.db"))
    if not copies:
        raise UserError("BACKUP_NONE", file=str(folder))
    return copies[-1]


def checksum_in_manifest(copy: Path) -> str | None:
    """The SHA-256 that the manifest beside it gives for a backup's database; None where it gives none."""
    return _checksums(copy.parent).get(copy.name)


def _checksums(folder: Path) -> dict[str, str]:
    """Of the databases of all backups in `folder`, by name."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    newest = {manifest["database"]: manifest["sha256"]} if "database" in manifest else {}
    return {**manifest.get("databases", {}), **newest}


def check(database: Path) -> list[str]:
    """What SQLite finds wrong with the file and its references, in its own words; empty = sound."""
    if not database.is_file():
        return [f"{database.name}: no such file"]
    try:
        with closing(_read_only(database)) as connection:
            rows = connection.execute(f"PRAGMA integrity_check({_MOST_SHOWN})")
            findings = [str(message) for (message,) in rows if message != "ok"]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_SHOWN)
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return findings + [
        f"{table}: row {row} refers to {parent}, where there is no such row" for table, row, parent, _ in orphans
    ]


def _read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def _media(settings: Settings) -> Iterator[Path]:
    for folder in (settings.uploads, settings.outputs, settings.voices):
        if folder.is_dir():
            yield folder


def _copy_tree(source: Path, target: Path) -> int:
    """Copy what is not there yet (a stored file never changes); returns how many files."""
    copied = 0
    for path in source.rglob("*"):
        there = target / path.relative_to(source)
        if path.is_file() and not (there.exists() and there.stat().st_size == path.stat().st_size):
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)
            copied += 1
    return copied
