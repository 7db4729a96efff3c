"""Waiting for changes, in threads and in asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.jobs_kit import Store, open_store
from webui.jobs import changes as changes_module
from webui.jobs.changes import ChangeFeed
from webui.store.rows import Changes


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


@pytest.fixture
def feed(store: Store) -> Iterator[ChangeFeed]:
    feed = ChangeFeed(store.database)
    feed.start()
    yield feed
    feed.stop()


def later(action: object) -> None:
    threading.Timer(0.1, action).start()  # type: ignore[arg-type]


def test_a_change_ends_the_wait(store: Store, feed: ChangeFeed) -> None:
    owner = store.owner()
    since = feed.now()
    later(lambda: store.submit(owner))
    began = time.monotonic()
    changes = feed.wait(owner.id, since, 30)
    assert len(changes.changed) == 1 and changes.now > since and time.monotonic() - began < 20


def test_the_watch_outlives_a_database_that_cannot_be_read(
    store: Store, feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_module, "TRY_AGAIN_S", 0.05)
    failures: list[int] = []
    watch = store.database.watch

    @contextlib.contextmanager
    def sick() -> Iterator[Callable[[], int]]:
        def version() -> int:
            failures.append(1)
            raise OperationalError("PRAGMA data_version", {}, sqlite3.OperationalError("disk I/O error"))

        with watch() as sound:
            yield sound if len(failures) >= 3 else version

    monkeypatch.setattr(store.database, "watch", sick)
    with monkeypatch.context() as broken:  # what the thread is in now ends, too
        broken.setattr(feed, "_look", lambda: (_ for _ in ()).throw(OSError("disk I/O error")))
        store.submit()
        deadline = time.monotonic() + 20
        while not failures and time.monotonic() < deadline:
            time.sleep(0.01)
    owner = store.owner()
    since = feed.now()
    later(lambda: store.submit(owner))
    assert len(feed.wait(owner.id, since, 30).changed) == 1 and len(failures) >= 3


def test_what_has_changed_already_is_told_at_once(store: Store, feed: ChangeFeed) -> None:
    since = feed.now()
    job = store.submit()
    assert feed.wait(job.owner_id, since, 30).changed == (job.uid,)


def test_others_changes_do_not_end_the_wait(store: Store, feed: ChangeFeed) -> None:
    owner, other = store.owner("a"), store.owner("b")
    since = feed.now()
    later(lambda: store.submit(other))
    assert feed.wait(owner.id, since, 0.6).changed == ()
    assert len(feed.wait(None, since, 30).changed) == 1


def test_a_commit_of_another_process_ends_the_wait(store: Store, feed: ChangeFeed) -> None:
    job = store.submit()
    since = feed.now()
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.jobs_kit import open_store\n"
        "store = open_store(Path(sys.argv[1]))\nstore.submit()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(store.database.path)], cwd=Path(__file__).parent.parent):
        assert len(feed.wait(job.owner_id, since, 60).changed) == 1


def test_a_number_of_another_time_is_corrected(store: Store, feed: ChangeFeed) -> None:
    now = feed.now()
    assert feed.wait(store.owner().id, now + 1000, 30) == Changes(now)


def test_many_wait_without_a_thread_each(store: Store, feed: ChangeFeed) -> None:
    owners = [store.owner(f"o{number}") for number in range(5)]
    since = feed.now()

    async def waiting() -> list[Changes]:
        waits = [asyncio.create_task(feed.wait_async(owner.id, since, 30)) for owner in owners for _ in range(40)]
        await asyncio.sleep(0.3)
        assert threading.active_count() < 60
        for owner in owners:
            await asyncio.to_thread(store.submit, owner)
        return await asyncio.gather(*waits)

    told = asyncio.run(waiting())
    assert len(told) == 200 and all(len(changes.changed) == 1 for changes in told)


def test_a_wait_in_asyncio_ends_by_its_time_and_by_the_end_of_the_program(store: Store, feed: ChangeFeed) -> None:
    owner = store.owner()

    async def waiting() -> tuple[Changes, Changes]:
        timed = await feed.wait_async(owner.id, feed.now(), 0.1)
        stopped = asyncio.create_task(feed.wait_async(owner.id, feed.now(), 60))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(feed.stop)
        return timed, await asyncio.wait_for(stopped, 20)

    timed, stopped = asyncio.run(waiting())
    assert timed.changed == stopped.changed == ()


def test_listeners_hear_commits_until_they_leave(store: Store, feed: ChangeFeed) -> None:
    heard = threading.Event()
    leave = feed.subscribe(heard.set)
    store.submit()
    assert heard.wait(20)
    leave()
    heard.clear()
    store.submit()
    assert not heard.wait(0.3)
