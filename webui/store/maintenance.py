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
_COPIES = "history-*.db"
_GONE_VOICES = """
    SELECT prompt_path FROM voices WHERE deleted_at IS NOT NULL
    OR id IN (SELECT voice_id FROM voice_consents WHERE revoked_at IS NOT NULL)
"""


def back_up(settings: Settings, folder: Path, media: bool = False, keep: int | None = None) -> Path:
    """A copy of the database in `folder`, named by the time; returns its path. Raises OSError, sqlite3.Error.

    The configuration and the certificates are copied beside it. With `media` the recordings, results and voices are,
    those not there yet, and what their owners deleted goes from `folder` as well. `keep`: databases of earlier
    backups beyond so many go. `manifest.json` holds the SHA-256 of every database in `folder` and the number of files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = _copy_database(settings.database, folder)
    _copy_configuration(settings, folder)
    copied = sum(_copy_tree(root, folder / root.name) for root in _media(settings)) if media else 0
    if media:
        _drop_deleted(target, folder)
    _drop_old(folder, keep)
    _write_manifest(folder, target, copied)
    return target


def _copy_database(database: Path, folder: Path) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    target = folder / f"history-{stamp}.db"
    part = target.with_suffix(".part")
    try:
        # In one step: between two steps a commit of another process makes SQLite begin anew, and a busy server never
        # lets it end. Readers and writers of a WAL database go on meanwhile.
        with closing(_read_only(database)) as live, closing(sqlite3.connect(part)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # else whoever reads it leaves a -wal and a -shm beside it
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _copy_configuration(settings: Settings, folder: Path) -> None:
    if settings.config_file is not None:
        shutil.copy2(settings.config_file, folder / "config.toml")
    certificates = settings.data / "certs"
    if certificates.is_dir():
        shutil.copytree(certificates, folder / certificates.name, dirs_exist_ok=True)


def _drop_deleted(copy: Path, folder: Path) -> None:
    """What an owner deleted, or a voice whose consent was withdrawn, does not live on in the backup."""
    with closing(_read_only(copy)) as connection:
        jobs = connection.execute("SELECT uid FROM jobs WHERE deleted_at IS NOT NULL").fetchall()
        voices = connection.execute(_GONE_VOICES).fetchall()
    for (uid,) in jobs:
        for root in ("uploads", "outputs"):
            shutil.rmtree(folder / root / uid, ignore_errors=True)
    for (path,) in voices:
        (folder / path).unlink(missing_ok=True)


def _drop_old(folder: Path, keep: int | None) -> None:
    if keep is not None:
        for copy in sorted(folder.glob(_COPIES))[:-keep]:
            for path in folder.glob(f"{copy.name}*"):  # -wal and -shm with it
                path.unlink()


def _write_manifest(folder: Path, copy: Path, copied: int) -> None:
    digest = sha256(copy)
    earlier = {name: known for name, known in _checksums(folder).items() if (folder / name).is_file()}
    manifest = {
        "database": copy.name,
        "sha256": digest,
        "files_copied": copied,
        "created_at": copy.stem.removeprefix("history-"),
        "databases": {**earlier, copy.name: digest},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def newest_backup(folder: Path) -> Path:
    """The database that `back_up` wrote last into `folder`. Raises UserError BACKUP_NONE."""
    copies = sorted(folder.glob(_COPIES))
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
