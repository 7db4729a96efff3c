"""Listings, exports and what changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.jobs_kit import Store, open_store
from webui.errors import UserError
from webui.store import history as history_module
from webui.store.rows import JobFilter


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def at(store: Store, uid: str, created_at: int) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE jobs SET created_at = :at WHERE uid = :uid"), {"at": created_at, "uid": uid})


def test_pages_follow_one_another_without_gap_or_repetition(store: Store) -> None:
    uids = [store.submit().uid for _ in range(23)][::-1]
    for uid in uids[5:15]:
        at(store, uid, 5)  # many jobs of one batch share their millisecond
    expected = [row.uid for row in store.history.page(JobFilter(None), limit=100)]
    seen: list[str] = []
    while page := store.history.page(JobFilter(None), before=seen[-1] if seen else None, limit=4):
        seen += [row.uid for row in page]
    assert seen == expected and sorted(seen) == sorted(uids)


def test_the_cursor_must_be_a_job_of_the_owner(store: Store) -> None:
    job = store.submit(store.owner("a"))
    with pytest.raises(UserError):
        store.history.page(JobFilter(store.owner("b").id), before=job.uid)


def test_filters_narrow_and_combine(store: Store) -> None:
    talk = store.finished("投诉电话")
    late = store.finished("投诉电话")
    speech = store.submit(kind="speak", text="投诉", batch="b1")
    cancelled = store.submit()
    store.jobs.request_cancel(cancelled.owner_id, cancelled.uid)
    for number, job in enumerate((talk, late, speech, cancelled)):
        at(store, job.uid, 1000 + number)
    owner = talk.owner_id
    cases = {
        JobFilter(owner, kind="speak"): [speech],
        JobFilter(owner, state="cancelled"): [cancelled],
        JobFilter(owner, batch="b1"): [speech],
        JobFilter(owner, since=1001, until=1003): [speech, late],
        JobFilter(owner, "投诉", kind="transcribe"): [late, talk],
        JobFilter(owner, "投诉", state="done", since=1001): [late],
        JobFilter(owner, "投诉", until=1001): [talk],
        JobFilter(owner, "投诉", since=5000): [],
        JobFilter(owner, "  "): [cancelled, speech, late, talk],
    }
    for wanted, expected in cases.items():
        assert [row.uid for row in store.history.page(wanted)] == [job.uid for job in expected], wanted
    assert [row.uid for row in store.history.page(JobFilter(owner, "投诉"), before=late.uid)] == [talk.uid]


def test_a_stream_gives_every_row_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "EXPORT_CHUNK", 4)
    uids = [store.submit().uid for _ in range(12)]
    stream = store.history.stream(JobFilter(None))
    seen = [next(stream).uid]
    store.submit()  # what comes later does not disturb
    seen += [row.uid for row in stream]
    assert seen == uids[::-1]


def test_changes_are_the_owners_own_and_tell_of_deletions(store: Store) -> None:
    mine, theirs = store.submit(store.owner("a")), store.submit(store.owner("b"))
    start = store.history.latest_change()
    assert store.history.changes_since(mine.owner_id, start).changed == ()
    store.jobs.request_cancel(theirs.owner_id, theirs.uid)
    store.jobs.delete(mine.owner_id, mine.uid)
    changes = store.history.changes_since(mine.owner_id, start)
    assert (changes.changed, changes.deleted) == ((), (mine.uid,))
    assert store.history.changes_since(None, start).changed == (theirs.uid,)
    assert store.history.changes_since(mine.owner_id, changes.now).deleted == ()


def test_many_changes_come_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MOST_CHANGES", 5)
    uids = [store.submit().uid for _ in range(12)]
    parts = [store.history.changes_since(None, 0)]
    while parts[-1].changed:
        parts.append(store.history.changes_since(None, parts[-1].now))
    assert [uid for part in parts for uid in part.changed] == uids
    assert len(parts) == 4


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(None),
        JobFilter(1),
        JobFilter(1, state="failed"),
        JobFilter(1, kind="speak"),
        JobFilter(1, since=5, until=9),
        JobFilter(1, batch="b"),
        JobFilter(1, "投诉", since=5),
    ],
)
def test_no_listing_reads_or_sorts_the_whole_table(store: Store, wanted: JobFilter) -> None:
    statements: list[tuple[str, object]] = []
    with store.database.read() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(lambda statement: statements.append((statement, None)))
        history_module._page(connection, wanted, (5, 5), 50)
        raw.set_trace_callback(None)
        query = next(statement for statement, _ in statements if statement.startswith("SELECT jobs.id"))
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert not [line for line in plan if line.startswith("SCAN jobs") and "INDEX" not in line], plan
    assert wanted.batch or not [line for line in plan if "TEMP B-TREE" in line], plan
