"""A history of a million jobs: how long its questions take. Prints one JSON line (milliseconds, median and worst).

python -m benchmarks.history --jobs 1000000
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from webui.errors import Notice
from webui.store.accounts import AccountStore
from webui.store.database import Database
from webui.store.history import History
from webui.store.jobs import JobStore, new_uid
from webui.store.migrate import open_database
from webui.store.queue import Queue
from webui.store.rows import JobFilter, NewJob
from webui.store.schema import jobs
from webui.store.search import indexed

OWNERS = 200
CHUNK = 5000
DAY_MS = 86_400_000
STATES = ["done"] * 950 + ["partial"] * 25 + ["failed"] * 15 + ["cancelled"] * 10
KINDS = ["transcribe"] * 90 + ["speak"] * 9 + ["convert"]
# Characters by falling frequency: common words occur often, rare ones hardly ever, as in speech.
CHARACTERS = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    + "".join(chr(0x4E00 + at * 7) for at in range(900))
)
RARE = "鑫龘"  # in one job of ten thousand


def fill(database: Database, count: int, seed: int = 0) -> None:
    """`count` finished jobs of 200 owners over two years, 200 characters each in the mean, and their index."""
    chance = random.Random(seed)
    accounts = AccountStore(database)
    owners = [accounts.by_name(f"owner{number}").id for number in range(OWNERS)]
    weights = list(itertools.accumulate(1 / (rank + 1) ** 0.7 for rank in range(len(CHARACTERS))))
    began = time.time_ns() // 1_000_000 - 730 * DAY_MS
    for first in range(0, count, CHUNK):
        rows = [
            _row(chance, owners, weights, began + (first + at) * 730 * DAY_MS // count)
            for at in range(min(CHUNK, count - first))
        ]
        with database.write() as connection:
            for at, row in enumerate(rows):
                row["id"] = row["version"] = first + at + 1
            connection.execute(insert(jobs), rows)
            connection.execute(
                text("INSERT INTO jobs_fts(rowid, text, own) VALUES (:id, :text, :own)"), [_entry(row) for row in rows]
            )
            connection.execute(text("UPDATE counters SET value = :last"), {"last": first + len(rows)})


def _row(chance: random.Random, owners: list[int], weights: list[float], created_at: int) -> dict[str, Any]:
    content = "".join(
        chance.choices(CHARACTERS, cum_weights=weights, k=min(2000, round(chance.expovariate(1 / 200)) + 2))
    )
    if chance.random() < 1e-4:
        content += RARE
    state, kind = chance.choice(STATES), chance.choice(KINDS)
    return {
        "uid": new_uid(),
        "owner_id": owners[round(chance.triangular(0, OWNERS - 1, 0))],
        "kind": kind,
        "state": state,
        "stage": "work",
        "params": {"language": "zh", "itn": True, "hotwords": ["退款"], "channels": "mix"},
        "model": "SenseVoiceSmall",
        "model_revision": "0" * 16,
        "file_name": f"录音{chance.randrange(10**6):06d}.wav",
        "duration_ms": chance.randrange(10**6),
        "language": "zh",
        "text": content,
        "text_raw": content,
        "error": Notice("BAD_AUDIO") if state == "failed" else None,
        "seg_total": 12,
        "seg_done": 12,
        "work_ms": 4000,
        "prepare_progress": 1.0,
        "created_at": created_at,
        "started_at": created_at + 1000,
        "finished_at": created_at + 9000,
    }


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "text": indexed(row["text"], row["file_name"]),
        "own": f"u{row['owner_id']} k{row['kind']}",
    }


def questions(database: Database, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a page, a search and an administrator ask."""
    history = History(database)
    with database.read() as connection:
        middle_uid = connection.execute(text("SELECT uid FROM jobs WHERE id = :id"), {"id": count // 2}).scalar_one()
        owner = connection.execute(text("SELECT owner_id FROM jobs WHERE id = :id"), {"id": count}).scalar_one()
        few = connection.execute(
            text("SELECT owner_id FROM jobs GROUP BY owner_id ORDER BY count(*) LIMIT 1")
        ).scalar_one()
        middle = connection.execute(text("SELECT created_at FROM jobs WHERE id = :id"), {"id": count // 2}).scalar_one()
    month = {"since": middle, "until": middle + 30 * DAY_MS}
    yield "newest page, everybody's", lambda: history.page(JobFilter(None))
    yield "newest page, one owner's", lambda: history.page(JobFilter(owner))
    yield "page in the middle", lambda: history.page(JobFilter(None), before=middle_uid)
    yield "owner: common 2 characters", lambda: history.page(JobFilter(owner, "的一"))
    yield "owner: rarer 2 characters", lambda: history.page(JobFilter(owner, CHARACTERS[300:302]))
    yield "owner with few jobs: common 2 characters", lambda: history.page(JobFilter(few, "的一"))
    yield "owner: 2 characters that hardly occur", lambda: history.page(JobFilter(owner, RARE))
    yield "owner: 2 characters that do not occur", lambda: history.page(JobFilter(owner, "𠮷龘"))
    yield "everybody: 2 characters that hardly occur", lambda: history.page(JobFilter(None, RARE))
    yield "owner: file name", lambda: history.page(JobFilter(owner, "录音0000"))
    yield "owner: last four digits", lambda: history.page(JobFilter(owner, "4711"))
    yield "owner: two digits", lambda: history.page(JobFilter(owner, "47"))
    yield "everybody: three digits inside a number", lambda: history.page(JobFilter(None, "471"))
    yield "owner: a part of the ending that all have", lambda: history.page(JobFilter(owner, "av"))
    yield "owner: name and number together", lambda: history.page(JobFilter(owner, "录音0047"))
    yield "owner: one character", lambda: history.page(JobFilter(owner, "的"))
    yield "owner: 2 characters, failed", lambda: history.page(JobFilter(owner, "的一", state="failed"))
    yield "everybody: 2 characters, failed", lambda: history.page(JobFilter(None, "的一", state="failed"))
    yield (
        "everybody: 2 characters, cancelled, a month",
        lambda: history.page(JobFilter(None, "的一", state="cancelled", **month)),
    )
    yield "owner: 2 characters, converted", lambda: history.page(JobFilter(owner, "的一", kind="convert"))
    yield "owner: 2 characters, a month", lambda: history.page(JobFilter(owner, "的一", **month))
    yield "owner: failed", lambda: history.page(JobFilter(owner, state="failed"))
    yield "everybody: failed", lambda: history.page(JobFilter(None, state="failed"))
    yield "everybody: expired, of which there are none", lambda: history.page(JobFilter(None, state="expired"))
    yield "owner: converted, a month", lambda: history.page(JobFilter(owner, kind="convert", **month))
    yield "what changed", lambda: history.changes_since(owner, count - 50)


def measure(ask: Callable[[], object], times: int = 15) -> dict[str, float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return {"median": round(statistics.median(taken), 2), "worst": round(max(taken), 2)}


def export(database: Database, most: int) -> dict[str, float]:
    """Rows a second and the memory that streaming them adds (megabytes)."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, rows = time.perf_counter(), 0
    for _ in History(database).stream(JobFilter(None)):
        rows += 1
        if rows == most:
            break
    seconds = time.perf_counter() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"rows": rows, "rows_per_s": round(rows / seconds), "grown_mb": round(grown / 1024, 1)}


def queueing(database: Database) -> dict[str, dict[str, float]]:
    """Submitting and claiming on top of the history."""
    accounts, store, queue = AccountStore(database), JobStore(database), Queue(database)
    owners = [accounts.by_name(f"owner{number}").id for number in range(20)]

    def submit() -> None:
        store.submit(owners[0], [NewJob(new_uid(), "transcribe", {"language": "zh"}, "fake", file_name="新录音.wav")])

    for owner in owners:
        store.submit(owner, [NewJob(new_uid(), "transcribe", {}, "fake") for _ in range(200)])
    waiting = store.submit(owners[0], [NewJob(new_uid(), "transcribe", {}, "fake")]).jobs
    return {
        "submit": measure(submit),
        "claim": measure(lambda: queue.claim("prepare", "boot")),
        "places": measure(lambda: store.places(waiting)),
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="keep and reuse the database of this folder")
    arguments = parser.parse_args()
    folder = arguments.data or Path(tempfile.mkdtemp(prefix="history-"))
    try:
        path = folder / f"history-{arguments.jobs}.db"
        began, fresh = time.perf_counter(), not path.exists()
        database = open_database(path)
        if fresh:
            fill(database, arguments.jobs)
        result: dict[str, Any] = {"jobs": arguments.jobs, "fill_s": round(time.perf_counter() - began)}
        result["database_mb"] = round(path.stat().st_size / 2**20)
        result["ms"] = {name: measure(ask) for name, ask in questions(database, arguments.jobs)}
        result["export"] = export(database, arguments.jobs)
        result["ms"] |= queueing(database)
        database.close()
    finally:
        if not arguments.data:
            shutil.rmtree(folder)
    sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
