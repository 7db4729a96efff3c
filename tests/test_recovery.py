"""What a start may remove: what an owner deleted and what is half written, never what the database does not know."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.jobs_kit import Store, open_store
from webui.jobs.recovery import recover
from webui.settings import Settings
from webui.store.maintenance import back_up

WRITER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None) as connection:
    connection.execute("PRAGMA synchronous=OFF")
    print("ready", flush=True)
    while True:
        connection.execute("INSERT INTO settings VALUES ('tick', 0) ON CONFLICT DO UPDATE SET value = value + 1")
"""


def files_of(settings: Settings, uid: str) -> tuple[Path, Path]:
    made = settings.uploads / uid / "original.wav", settings.outputs / uid / "speech.wav"
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return made


def start(settings: Settings, store: Store) -> None:
    recover(settings, store.queue, store.jobs)


def test_a_start_with_another_database_keeps_every_recording(settings: Settings, tmp_path: Path) -> None:
    job = open_store(settings.database).submit()
    files = files_of(settings, job.uid)
    start(settings, open_store(tmp_path / "histroy.db"))
    assert all(path.is_file() for path in files)


def test_what_came_after_a_backup_survives_its_restore(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings.database)
    monday = files_of(settings, store.submit().uid)
    copy = back_up(settings, tmp_path / "backup")
    tuesday = files_of(settings, store.submit().uid)
    store.database.close()
    for path in settings.database.parent.glob("history.db*"):
        path.unlink()
    settings.database.write_bytes(copy.read_bytes())
    start(settings, open_store(settings.database))
    assert all(path.is_file() for path in (*monday, *tuesday))


def test_a_start_removes_what_was_deleted_and_what_is_half_written(settings: Settings) -> None:
    store = open_store(settings.database)
    kept, gone = store.submit(), store.submit()
    stay, go = files_of(settings, kept.uid), files_of(settings, gone.uid)
    half = stay[0].with_name("audio.wav.part")
    half.write_bytes(b"")
    store.jobs.delete(gone.owner_id, gone.uid)
    start(settings, store)
    assert all(path.is_file() for path in stay) and not half.exists()
    assert not any(path.parent.exists() for path in go)


@pytest.fixture
def busy(settings: Settings) -> Iterator[Settings]:
    """A database of 60 MB, to which another process commits all the time."""
    open_store(settings.database).database.close()
    with closing(sqlite3.connect(settings.database)) as connection, connection:
        connection.execute("CREATE TABLE ballast AS SELECT zeroblob(60000000) AS content")
    command = [sys.executable, "-c", WRITER, str(settings.database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        yield settings
        writer.kill()


def test_a_start_removes_temporary_files_of_yesterday_only(settings: Settings) -> None:
    old, older, new = (settings.temporary / name for name in ("ort.quant", "old", "new"))
    old.mkdir(parents=True)
    for file in (old / "model.onnx", older, new):
        file.write_bytes(b"weights")
    for path in (old, older):
        os.utime(path, (time.time() - 90_000,) * 2)
    start(settings, open_store(settings.database))
    assert list(settings.temporary.iterdir()) == [new]


def test_a_backup_of_a_busy_database_ends(busy: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(back_up(busy, tmp_path / "backup"))) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_backup_that_fails_leaves_nothing_half_written(settings: Settings, tmp_path: Path) -> None:
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    settings.database.write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        back_up(settings, tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == []
