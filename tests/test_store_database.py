"""Connections: many writers and readers, a full disk, commits that are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.jobs_kit import Store, open_store
from webui.errors import UserError
from webui.store.migrate import open_database
from webui.store.rows import JobFilter


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def test_writers_and_readers_never_see_a_locked_database(store: Store) -> None:
    errors: list[Exception] = []
    owners = [store.owner(f"o{number}") for number in range(5)]

    def write(number: int) -> None:
        for _ in range(12):  # reads before it writes: with a plain BEGIN this fails
            job = store.submit(owners[number])
            store.jobs.request_cancel(job.owner_id, job.uid)

    def read() -> None:
        for _ in range(30):
            store.history.page(JobFilter(None))

    def guarded(work: object, *arguments: int) -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(write, number)) for number in range(5)]
    threads += [threading.Thread(target=guarded, args=(read,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.history.page(JobFilter(None), limit=100)) == 60


def test_the_profile_is_the_durable_one(store: Store) -> None:
    with store.database.read() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "busy_timeout")
        values = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names]
    assert values == ["wal", 2, 1, 0, 2000]


def test_an_exception_rolls_everything_back(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
        raise ZeroDivisionError
    assert "a" not in store.options.all()


def test_a_full_disk_is_said_so_and_nothing_committed_is_lost(store: Store) -> None:
    kept = store.submit()
    with store.database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    with pytest.raises(UserError) as caught, store.database.write() as connection:
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        for number in range(1000):
            connection.execute(text("INSERT INTO settings VALUES (:key, :value)"), {"key": number, "value": "x" * 999})
    assert caught.value.code == "DISK_FULL" and "GB" in caught.value.params["free"]
    with store.database.write() as connection:
        connection.execute(text("PRAGMA max_page_count = 1073741823"))
    assert store.jobs.get(None, kept.uid).uid == kept.uid
    store.submit()


def test_commits_of_this_and_of_other_processes_are_noticed(store: Store) -> None:
    heard: list[int] = []
    unsubscribe = store.database.subscribe(lambda: heard.append(1))
    with store.database.watch() as version:
        first = version()
        store.submit()
        second = version()
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version').connection.close()"
        subprocess.run([sys.executable, "-c", code, str(store.database.path)], check=True)
        assert version() == second != first  # reading changes nothing
        code = (
            "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n"
            "c.execute(\"INSERT INTO settings VALUES ('a', '1')\")\nc.commit()"
        )
        subprocess.run([sys.executable, "-c", code, str(store.database.path)], check=True)
        assert version() != second
    unsubscribe()
    count = len(heard)
    store.submit()
    assert count == len(heard) >= 1


def test_other_errors_are_not_called_a_full_disk(store: Store) -> None:
    with pytest.raises(OperationalError, match="no such table"), store.database.write() as connection:
        connection.execute(text("INSERT INTO absent VALUES (1)"))


def test_opening_an_up_to_date_database_imports_no_alembic(store: Store) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom webui.store.migrate import open_database\n"
        "open_database(Path(sys.argv[1]))\nsys.exit('alembic' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", code, str(store.database.path)], check=True, env=environment)
    open_database(store.database.path).close()
