"""How a job's row changes: one UPDATE with the old state in its WHERE, the next change number, one audit row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from webui.errors import Notice
from webui.store import audit, search
from webui.store.schema import counters, jobs, segments
from webui.store.transcript import assemble


def next_change(connection: Connection) -> int:
    """The next number of the sequence that all changes of jobs share; the caller's transaction owns it."""
    counted = update(counters).where(counters.c.name == "change").values(value=counters.c.value + 1)
    return int(connection.execute(counted.returning(counters.c.value)).scalar_one())


def current_change(connection: Connection) -> int:
    """The newest number of that sequence."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == "change")).scalar_one())


def move(
    connection: Connection,
    job_id: int,
    old_states: Iterable[str],
    values: Mapping[str, Any],
    *,
    action: str | None,
    owner_id: int | None = None,
) -> bool:
    """Change the job if it is in one of `old_states`; False where it is not.

    `action` names the audit row; None = none, for what happens with every slice of a long job.
    """
    legal = (jobs.c.id == job_id) & jobs.c.state.in_(tuple(old_states)) & jobs.c.deleted_at.is_(None)
    changed = update(jobs).where(legal).values(version=next_change(connection), **values).returning(jobs.c.uid)
    uid = connection.execute(changed).scalar_one_or_none()
    if uid is None:
        return False
    if action is not None:
        audit.record(connection, f"job.{action}", uid, owner_id, state=values["state"])
    return True


def rewrite_text(connection: Connection, job_id: int) -> None:
    """Assemble the text of a job from its segments, and index it; a text that was to be spoken stays as it was."""
    found = (segments.c.job_id == job_id) & (segments.c.source == "")
    query = select(segments.c.channel, segments.c.text, segments.c.edited_text, segments.c.text_raw)
    pieces = connection.execute(query.where(found).order_by(segments.c.idx)).all()
    if not pieces:
        return
    shown = assemble((row.channel, row.text if row.edited_text is None else row.edited_text) for row in pieces)
    raw = assemble((row.channel, row.text_raw) for row in pieces)
    search.remove(connection, job_id)
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(text=shown, text_raw=raw))
    search.add(connection, job_id)


def first_error(connection: Connection, job_id: int, params: Mapping[str, Any]) -> Notice | None:
    """The error of the first segment that has one, as the job's own."""
    failed = (segments.c.job_id == job_id) & segments.c.error_code.is_not(None)
    query = select(segments.c.error_code, segments.c.device).where(failed).order_by(segments.c.idx).limit(1)
    row = connection.execute(query).one_or_none()
    return row and Notice(row.error_code, {**params, "device": row.device or ""})
