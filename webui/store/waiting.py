"""Where a waiting job stands, and roughly when an unfinished one will end.

Owners take turns, so the place is an estimate: one's own earlier jobs, and of every other owner as many jobs as get
their turn meanwhile. The estimate of the end rests on what was measured: this job's own pace, else the mean of the
last finished jobs of its kind.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from webui.store.rows import JobRow, QueuePlace
from webui.store.schema import IS_OPEN, IS_QUEUED, jobs
from webui.store.states import DONE, QUEUED

UNKNOWN_S = 60  # the estimate where nothing has been measured yet
LONGEST_S = 3600  # after so long it is worth a look whatever the estimate says
RECENT = 500  # the mean of what finished among so many newest jobs is the estimate for the next


def queue_places(connection: Connection, rows: Sequence[JobRow]) -> dict[str, QueuePlace]:
    """By uid, for those of `rows` that are queued, running or cancelling. Reads the whole queue once."""
    ahead = _Ahead(connection)
    mean_s = {kind: _mean_seconds(connection, kind) for kind in {row.kind for row in rows if not row.final}}
    places = {}
    for row in rows:
        if row.final:
            continue
        position = ahead.of(row) + 1 if row.state == QUEUED else None
        places[row.uid] = QueuePlace(position, _eta(row, position, mean_s[row.kind]))
    return places


def seconds_until_fewer(connection: Connection, count: int) -> int:
    """Roughly how long until `count` of an owner's waiting jobs have had their turn, 1 to LONGEST_S."""
    mean_s = _mean_seconds(connection)
    busy = connection.execute(select(func.count(jobs.c.owner_id.distinct())).where(IS_OPEN)).scalar_one()
    return UNKNOWN_S if mean_s is None else max(1, min(LONGEST_S, math.ceil(count * mean_s * busy)))


class _Ahead:
    def __init__(self, connection: Connection) -> None:
        self._waiting: dict[int, list[int]] = defaultdict(list)
        query = select(jobs.c.owner_id, jobs.c.id).where(IS_QUEUED).order_by(jobs.c.priority.desc(), jobs.c.id)
        for owner, job_id in connection.execute(query):
            self._waiting[owner].append(job_id)
        self._rank = {job_id: rank for ids in self._waiting.values() for rank, job_id in enumerate(ids)}

    def of(self, row: JobRow) -> int:
        rank = self._rank.get(row.id, 0)
        others = (ids for owner, ids in self._waiting.items() if owner != row.owner_id)
        return rank + sum(min(len(ids), rank) + (len(ids) > rank and ids[rank] < row.id) for ids in others)


def _mean_seconds(connection: Connection, kind: str | None = None) -> float | None:
    """Of work on the last finished jobs (of one kind)."""
    newest = select(func.max(jobs.c.id) - RECENT).scalar_subquery()
    finished = select(func.avg(jobs.c.work_ms)).where(jobs.c.id > newest, jobs.c.state == DONE, jobs.c.work_ms > 0)
    mean = connection.execute(finished if kind is None else finished.where(jobs.c.kind == kind)).scalar_one_or_none()
    return None if mean is None else mean / 1000


def _eta(row: JobRow, position: int | None, mean_s: float | None) -> float | None:
    own = _rest(row)
    if own is None:
        own = mean_s
    if own is None or (position is not None and position > 1 and mean_s is None):
        return None
    return own + (position - 1 if position else 0) * (mean_s or 0)


def _rest(row: JobRow) -> float | None:
    """Seconds that this job still needs at its own pace."""
    if row.seg_total is None or not row.seg_done:
        return None
    return row.work_ms / 1000 / row.seg_done * (row.seg_total - row.seg_done - row.seg_failed)
