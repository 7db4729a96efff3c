"""Opening files of every sort, new, older, newer, damaged, somebody else's; and kill -9 inside a migration."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.jobs_kit import open_store
from webui.store import migrate
from webui.store.migrate import DatabaseRefused, open_database
from webui.store.schema import metadata

ROOT = Path(__file__).parent.parent
SECOND = """
revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    import time
    from alembic import op
    op.execute("ALTER TABLE jobs ADD COLUMN mood TEXT")
    op.execute("UPDATE jobs SET mood = 'calm'")
    time.sleep({pause})
    op.execute("CREATE INDEX jobs_mood ON jobs (mood)")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "history.db"


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program as it will be when there is a second revision."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, scripts)
    (scripts / "versions" / "0002_mood.py").write_text(SECOND.format(pause=0))
    monkeypatch.setattr(migrate, "MIGRATIONS", scripts)
    return scripts


def refusal(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(DatabaseRefused) as caught:
        open_database(path)
    assert path.read_bytes() == before, "a refused file is left as it is"
    for language in ("zh", "en"):
        worded = caught.value.notice.worded(language)
        assert str(path) in worded.message and worded.hint and "\n" not in worded.message
    return caught.value.code


def columns(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(jobs)")}


def test_the_first_revision_makes_what_the_schema_describes(path: Path, tmp_path: Path) -> None:
    open_database(path).close()
    metadata.create_all(create_engine(f"sqlite:///{tmp_path / 'described.db'}"))
    made, described = statements(path), statements(tmp_path / "described.db")
    assert {name: made.get(name) for name in described} == described
    extra = {name for name in set(made) - set(described) if not name.startswith(("jobs_fts", "sqlite_"))}
    assert extra == {"alembic_version", "audit_no_update", "audit_no_delete"}


def statements(path: Path) -> dict[str, str]:
    """Everything in a database: name → the statement that made it."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master")
        return {name: " ".join((sql or "").split()).replace(" ,", ",") for name, sql in rows}


def test_a_new_database_needs_no_backup(path: Path) -> None:
    open_database(path).close()
    assert not (path.parent / "backups").exists()


def test_an_older_database_is_copied_and_then_brought_up_to_date(path: Path, next_version: Path) -> None:
    (next_version / "versions" / "0002_mood.py").rename(next_version / "0002")
    job = open_store(path).finished("留下的字")
    (next_version / "0002").rename(next_version / "versions" / "0002_mood.py")
    store = open_store(path)
    assert "mood" in columns(path) and store.jobs.get(None, job.uid).text == "留下的字"
    copy = path.parent / "backups" / "pre-0001.db"
    assert "mood" not in columns(copy) and migrate._revision(copy) == "0001"


def test_a_kill_inside_a_migration_leaves_the_old_database(path: Path, next_version: Path) -> None:
    shutil.move(next_version / "versions" / "0002_mood.py", next_version / "0002")
    open_store(path).finished("留下的字")
    (next_version / "versions" / "0002_mood.py").write_text(SECOND.format(pause=30))
    code = (
        "import sys\nfrom pathlib import Path\nfrom webui.store import migrate\n"
        "migrate.MIGRATIONS = Path(sys.argv[2])\n"
        "from webui.store.migrate import open_database\nprint('now', flush=True)\nopen_database(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(path), str(next_version)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        deadline = time.monotonic() + 30
        while not locked(path) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert locked(path), "the migration holds its transaction"
        process.send_signal(signal.SIGKILL)
    assert migrate._revision(path) == "0001" and "mood" not in columns(path)
    (next_version / "versions" / "0002_mood.py").write_text(SECOND.format(pause=0))
    store = open_store(path)
    assert "mood" in columns(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT mood FROM jobs").fetchall() == [("calm",)]
    store.database.close()


def locked(path: Path) -> bool:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def test_a_newer_database_is_refused(path: Path) -> None:
    open_database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.close()
    assert refusal(path) == "DATABASE_NEWER"


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("这是一封信\n" * 100)
    assert refusal(path) == "DATABASE_FOREIGN"


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (id)")
    connection.close()
    assert refusal(path) == "DATABASE_FOREIGN"


def test_a_damaged_database_is_refused(path: Path) -> None:
    open_database(path).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = os.urandom(3996)
    path.write_bytes(content)
    assert refusal(path) == "DATABASE_DAMAGED"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_database_is_refused(path: Path) -> None:
    open_database(path).close()
    path.chmod(0o400)
    assert refusal(path) == "DATABASE_READ_ONLY"


def test_a_folder_in_which_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseRefused):
        open_database(tmp_path / "file" / "history.db")


def test_an_upgrade_without_room_for_the_copy_is_refused(
    path: Path, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(next_version / "versions" / "0002_mood.py", next_version / "0002")
    open_database(path).close()
    shutil.move(next_version / "0002", next_version / "versions" / "0002_mood.py")
    full = shutil.disk_usage(path.parent)._replace(free=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert refusal(path) == "DATABASE_NO_ROOM"


def test_an_index_of_an_older_tokeniser_is_rebuilt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = open_store(path).finished("投诉")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE jobs_fts")
        connection.execute("UPDATE settings SET value = '0' WHERE key = 'tokeniser'")
    connection.close()
    from webui.store.rows import JobFilter

    assert [row.uid for row in open_store(path).history.page(JobFilter(None, "投诉"))] == [job.uid]
