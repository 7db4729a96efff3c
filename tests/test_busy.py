"""A database that stays busy: nobody's job fails for it, callers are told when to come again."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from tests.api_kit import Server, code, finish, serving, submit, wav
from tests.jobs_kit import open_store
from webui.errors import UserError
from webui.server.guard import SECURITY_HEADERS
from webui.store import database as database_module
from webui.store.fair_lock import FairLock

PATIENCE_S = 0.5  # of a caller; one attempt at SQLite's lock takes two seconds
LOCKED_S = 5.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(database_module, "BUSY_S", PATIENCE_S)
    with serving(tmp_path) as running:
        yield running


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process's write transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def archive(files: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for number in range(files):
            packed.writestr(f"{number}.wav", wav(0.2, number))
    return buffer.getvalue()


def begun(client: httpx.Client, uid: str) -> None:
    deadline = time.monotonic() + 30
    while not client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["transcribe", "speak"])
def test_a_job_waits_while_another_process_holds_the_database(server: Server, kind: str) -> None:
    client = server.browser()
    if kind == "speak":
        sentences = "".join(f"第{number}句话。" for number in range(12))
        params = f'{{"text": "{sentences}", "instruct": "0.2"}}'
        uid = submit(client, kind="speak", params=params).json()["jobs"][0]["id"]
    else:
        sound = wav(60)
        uid = submit(client, ("a.wav", sound), params='{"hotwords": ["seconds=1.0"]}').json()["jobs"][0]["id"]
    begun(client, uid)
    with locked(server.services.database.path):
        time.sleep(LOCKED_S)
        held = client.get(f"/api/v1/jobs/{uid}").json()
    assert held["state"] == "running"  # or the lock came too late to prove anything
    job = finish(client, uid)
    assert (job["state"], job["error"]) == ("done", None)


def test_who_changes_something_meanwhile_is_told_when_to_come_again(server: Server) -> None:
    client = server.browser()
    uid = submit(client, ("a.wav", wav())).json()["jobs"][0]["id"]
    finish(client, uid)
    with locked(server.services.database.path):
        answer = client.delete(f"/api/v1/jobs/{uid}")
        assert client.get(f"/api/v1/jobs/{uid}").status_code == 200
    assert code(answer) == (503, "BUSY") and answer.headers["retry-after"] == "5"
    assert client.delete(f"/api/v1/jobs/{uid}").status_code == 204


def test_whether_it_is_ready_is_said_at_once(tmp_path: Path) -> None:
    """A change waits for ten seconds and more."""
    with serving(tmp_path, workers=False) as server, locked(server.services.database.path):
        began = time.monotonic()
        answer = server.browser().get("/readyz")
        assert answer.status_code == 503 and time.monotonic() - began < 6


def test_a_browser_that_nobody_knows_yet_is_answered_in_the_contracts_shape(server: Server) -> None:
    with locked(server.services.database.path):
        answer = submit(server.browser(), ("a.wav", wav()))
    assert code(answer) == (503, "BUSY")
    assert set(SECURITY_HEADERS) <= set(answer.headers)


def test_uploads_that_come_together_are_all_accepted(tmp_path: Path) -> None:
    body = archive(20)
    with serving(tmp_path, workers=False) as server:

        def upload(_number: int) -> int:
            with server.browser() as client:
                return submit(client, ("a.zip", body)).status_code

        with ThreadPoolExecutor(12) as pool:
            answers = Counter(pool.map(upload, range(12)))
        assert answers == {202: 12}
        assert server.services.system.queue()["queued"] == 240


def test_writers_of_one_process_come_in_the_order_of_their_asking(tmp_path: Path) -> None:
    store = open_store(tmp_path / "history.db")
    came: list[int] = []

    def write(number: int) -> None:
        with store.database.write():
            came.append(number)
            time.sleep(0.02)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    with store.database.write():
        for thread in threads:
            thread.start()
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert came == sorted(came) and len(came) == 20


def test_work_that_must_not_fail_waits_for_another_process_as_long_as_it_takes(tmp_path: Path) -> None:
    database = open_store(tmp_path / "history.db").database.patient()

    def written() -> bool:
        with database.write():
            return True

    with ThreadPoolExecutor(1) as pool:
        with locked(database.path):
            pending = pool.submit(written)
            time.sleep(3)  # more than one attempt
            assert not pending.done()
        assert pending.result(10)


def test_a_writer_that_gave_up_does_not_hold_up_the_line() -> None:
    lock = FairLock()

    def came(timeout: float) -> bool:
        with lock.held(timeout) as mine:
            return mine

    with ThreadPoolExecutor(2) as pool:
        with lock.held():
            impatient, patient = pool.submit(came, 0.05), pool.submit(came, 5)
            assert not impatient.result(5)
        assert patient.result(5)


def test_waiting_for_a_writer_of_the_same_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_S", 0.2)
    store = open_store(tmp_path / "history.db")
    with store.database.write() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
        with ThreadPoolExecutor(1) as pool, pytest.raises(UserError, match="BUSY"):
            pool.submit(store.owner).result(5)
    assert store.options.all()["a"] == 1 and store.owner().name == "api"
