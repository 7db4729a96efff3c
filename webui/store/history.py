"""The history: newest-first pages by keyset, search, streamed rows for exports, and what changed since a number.

Never OFFSET and never count(*): both read what they skip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, column, func, select, table, text, tuple_

from webui.errors import UserError
from webui.store.database import Database
from webui.store.rows import Changes, JobFilter, JobRow, build, columns
from webui.store.schema import jobs
from webui.store.search import match_expression
from webui.store.transitions import current_change

PAGE = 50
EXPORT_CHUNK = 200  # rows between which an export lets go of the database: a slow download must not pin the WAL
MOST_CHANGES = 500

_HITS = table("jobs_fts", column("rowid", Integer))
_Cursor = tuple[int, int]  # (created_at, id) of the last row seen


class History:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: JobFilter, *, before: str | None = None, limit: int = PAGE) -> list[JobRow]:
        """The newest jobs older than the job `before`, newest first. Raises UserError NOT_FOUND for `before`."""
        with self._database.read() as connection:
            cursor = None if before is None else _place(connection, wanted.owner_id, before)
            return _page(connection, wanted, cursor, limit)

    def stream(self, wanted: JobFilter) -> Iterator[JobRow]:
        """Every job of the filter, newest first, at constant memory."""
        cursor: _Cursor | None = None
        while True:
            with self._database.read() as connection:
                rows = _page(connection, wanted, cursor, EXPORT_CHUNK)
            yield from rows
            if len(rows) < EXPORT_CHUNK:
                return
            cursor = (rows[-1].created_at, rows[-1].id)

    def changes_since(self, owner_id: int | None, since: int) -> Changes:
        """The owner's jobs (None: everybody's) changed after number `since`, oldest change first."""
        query = select(jobs.c.uid, jobs.c.deleted_at, jobs.c.version).where(jobs.c.version > since)
        if owner_id is not None:
            query = query.where(jobs.c.owner_id == owner_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(jobs.c.version).limit(MOST_CHANGES)).all()
            now = rows[-1].version if len(rows) == MOST_CHANGES else current_change(connection)
        alive = tuple(row.uid for row in rows if row.deleted_at is None)
        return Changes(now, alive, tuple(row.uid for row in rows if row.deleted_at is not None))

    def latest_change(self) -> int:
        """The number of the newest change of all."""
        with self._database.read() as connection:
            return current_change(connection)

    def newest_by_owner(self, since: int) -> dict[int, int]:
        """Owner → newest change number, of those with a change after `since`."""
        query = select(jobs.c.owner_id, func.max(jobs.c.version)).where(jobs.c.version > since)
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(jobs.c.owner_id))
            return {row[0]: row[1] for row in rows}


def _place(connection: Connection, owner_id: int | None, uid: str) -> _Cursor:
    """Where a job stands in the order; a deleted one too, so that whoever reads on from it can. Raises NOT_FOUND."""
    query = select(jobs.c.created_at, jobs.c.id).where(jobs.c.uid == uid)
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UserError("NOT_FOUND", param="before")
    return row.created_at, row.id


def _page(connection: Connection, wanted: JobFilter, cursor: _Cursor | None, limit: int) -> list[JobRow]:
    query: Select[Any] = select(*columns(jobs, JobRow)).where(jobs.c.deleted_at.is_(None), *_conditions(wanted))
    if wanted.query.strip():
        expression = match_expression(wanted.query, wanted.owner_id, wanted.kind)
        if expression is None:
            return []
        query = _searched(query, expression, wanted, cursor)
    else:
        if cursor is not None:
            query = query.where(tuple_(jobs.c.created_at, jobs.c.id) < cursor)
        query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    return [build(JobRow, row) for row in connection.execute(query.limit(limit))]


def _conditions(wanted: JobFilter) -> list[Any]:
    equal = {"owner_id": wanted.owner_id, "kind": wanted.kind, "state": wanted.state, "batch": wanted.batch}
    conditions = [jobs.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.since is not None:
        conditions.append(jobs.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(jobs.c.created_at < wanted.until)
    return conditions


def _searched(query: Select[Any], expression: str, wanted: JobFilter, cursor: _Cursor | None) -> Select[Any]:
    """Hits come from the index by id, newest first; a period becomes a range of ids before the hits are looked up."""
    hits = text("jobs_fts MATCH :expression").bindparams(bindparam("expression", expression))
    query = query.join_from(_HITS, jobs, jobs.c.id == _HITS.c.rowid).where(hits).order_by(_HITS.c.rowid.desc())
    if cursor is not None:
        query = query.where(_HITS.c.rowid < cursor[1])
    if wanted.since is not None or wanted.until is not None:
        first, last = _period(wanted)
        query = query.where(_HITS.c.rowid >= first, _HITS.c.rowid <= last)
    return query


def _period(wanted: JobFilter) -> tuple[Any, Any]:
    """The first and last id created in the filter's period, as subqueries over an index alone."""
    inside = _conditions(replace(JobFilter(wanted.owner_id), since=wanted.since, until=wanted.until))
    among = (jobs.c.deleted_at.is_(None), *inside)
    lowest, highest = select(func.min(jobs.c.id)).where(*among), select(func.max(jobs.c.id)).where(*among)
    return lowest.scalar_subquery(), highest.scalar_subquery()
