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
from webui.jobs.recovery import AlreadyRunning, WorkLock, lock_holder, recover
from webui.settings import Settings
from webui.store.maintenance import back_up

ROOT = Path(__file__).resolve().parent.parent
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


def test_of_the_unknown_only_what_holds_nothing_is_removed(settings: Settings) -> None:
    store = open_store(settings.database)
    (files := files_of(settings, "0" * 32))[0].with_name("deeper").mkdir()
    empty, half = settings.uploads / ("1" * 32), settings.uploads / ("2" * 32) / "original.wav.part"
    empty.mkdir()
    half.parent.mkdir()
    half.touch()
    start(settings, store)
    assert {path.name for path in settings.uploads.iterdir()} == {"0" * 32}
    assert all(path.is_file() for path in files)


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


def test_f4_a_backup_of_a_busy_database_ends(busy: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(back_up(busy, tmp_path / "backup"))) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_backup_that_fails_leaves_nothing_half_written(settings: Settings, tmp_path: Path) -> None:
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    settings.database.write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        back_up(settings, tmp_path / "backup")
    assert list((tmp_path / "backup").iterdir()) == []


def other_folder(settings: Settings, tmp_path: Path, database: Path) -> Settings:
    return settings.model_copy(update={"data": tmp_path / "other", "history_db": database})


@pytest.mark.parametrize("way", ["the path itself", "a link to the file", "a link to the folder", "the same folder"])
def test_f9_one_database_has_one_worker_wherever_data_points(settings: Settings, tmp_path: Path, way: str) -> None:
    open_store(settings.database).database.close()
    link, folder = tmp_path / "link.db", tmp_path / "linked"
    link.symlink_to(settings.database)
    folder.symlink_to(settings.data)
    seconds = {
        "the path itself": other_folder(settings, tmp_path, settings.database),
        "a link to the file": other_folder(settings, tmp_path, link),
        "a link to the folder": other_folder(settings, tmp_path, folder / "history.db"),
        "the same folder": settings.model_copy(update={"history_db": tmp_path / "second.db"}),
    }
    with WorkLock(settings):
        with pytest.raises(AlreadyRunning) as caught:
            WorkLock(seconds[way])
        assert caught.value.pid == os.getpid()
        with pytest.raises(AlreadyRunning):
            lock_holder(seconds[way])
        assert lock_holder(settings) == os.getpid()
    WorkLock(seconds[way]).release()


def test_f9_two_folders_with_two_databases_have_two_workers(settings: Settings, tmp_path: Path) -> None:
    with WorkLock(settings), WorkLock(other_folder(settings, tmp_path, tmp_path / "other" / "history.db")):
        pass
    assert lock_holder(settings) is None


def test_f9_a_second_program_on_the_same_database_is_refused(settings: Settings, tmp_path: Path) -> None:
    command = [sys.executable, "app.py", "--data", str(tmp_path / "second"), "--history-db", str(settings.database)]
    with WorkLock(settings):
        for arguments in (["serve", "--port", "0"], ["transcribe", str(Path(__file__))]):
            done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)
            assert done.returncode == 1 and str(os.getpid()) in done.stderr
