"""Jobs as their owners see them: submitting, reading, editing, cancelling, retrying, deleting.

What the workers do to a job is in `queue`; listings, search and exports are in `history`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, true, update

from webui.errors import Notice, UserError
from webui.store import audit, search, tombstones
from webui.store.database import Database
from webui.store.history_mark import MarkFile, mark_in
from webui.store.rows import (
    ArtifactRow,
    JobRow,
    NewJob,
    QueuePlace,
    SegmentRow,
    build,
    columns,
    now_ms,
)
from webui.store.schema import IS_OPEN, IS_QUEUED, artifacts, jobs, owners, segments
from webui.store.states import (
    CANCELLED,
    CANCELLING,
    DONE,
    EXPIRED,
    FINAL_STATES,
    PENDING,
    QUEUED,
    RETRYABLE_STATES,
    RUNNING,
)
from webui.store.transitions import move, next_change, rewrite_text
from webui.store.waiting import queue_places, seconds_until_fewer


def new_uid() -> str:
    """A job's public id: 128 random bits in hex."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class RefusedFile:
    name: str
    error: Notice


@dataclass(frozen=True)
class Submission:
    """`repeated`: the idempotency key was known; `jobs` are those of the first time, nothing was written.

    `refused`: files that came along and became no job.
    """

    jobs: list[JobRow]
    repeated: bool = False
    refused: Sequence[RefusedFile] = ()


class JobStore:
    def __init__(self, database: Database, mark: MarkFile | None = None) -> None:
        """`mark`: of the data folder that holds the jobs' files."""
        self._database = database
        self._mark = mark

    def submit(
        self, owner_id: int, new: Sequence[NewJob], *, idempotency_key: str | None = None, max_queued: int | None = None
    ) -> Submission:
        """Write all jobs or none. Raises UserError QUEUE_FULL beyond `max_queued` waiting jobs of the owner."""
        with self._database.write() as connection:
            submission = _submitted(connection, owner_id, new, idempotency_key, max_queued)
            mark = mark_in(connection)
        if self._mark is not None and not submission.repeated:
            self._mark.advance(mark)
        return submission

    def check_room(self, owner_id: int, count: int, *, idempotency_key: str | None, max_queued: int) -> None:
        """Raises UserError QUEUE_FULL where `submit` of so many jobs would now."""
        with self._database.read() as connection:
            if not (idempotency_key and _by_key(connection, owner_id, idempotency_key)):
                _admit(connection, owner_id, count, max_queued)

    def get(self, owner_id: int | None, uid: str) -> JobRow:
        """The owner's job (None: anybody's). Raises UserError NOT_FOUND."""
        with self._database.read() as connection:
            return find(connection, owner_id, uid)

    def segments(
        self, owner_id: int | None, uid: str, *, after: int | None = None, limit: int | None = None
    ) -> list[SegmentRow]:
        """Segments in time order; with `after`, those whose `change` is greater. Raises UserError NOT_FOUND."""
        with self._database.read() as connection:
            return segments_of(connection, find(connection, owner_id, uid).id, after=after, limit=limit)

    def artifacts(self, owner_id: int | None, uid: str, role: str | None = None) -> list[ArtifactRow]:
        """The job's files (of one role). Raises UserError NOT_FOUND."""
        with self._database.read() as connection:
            query = select(*columns(artifacts, ArtifactRow)).where(
                artifacts.c.job_id == find(connection, owner_id, uid).id
            )
            if role is not None:
                query = query.where(artifacts.c.role == role)
            return [build(ArtifactRow, row) for row in connection.execute(query.order_by(artifacts.c.id))]

    def places(self, rows: Sequence[JobRow]) -> dict[str, QueuePlace]:
        """Queue position and estimated seconds to the end, by uid, of those of `rows` that are not finished."""
        if all(row.final for row in rows):
            return {}
        with self._database.read() as connection:
            return queue_places(connection, rows)

    def known(self, uids: Sequence[str], *, deleted: bool = False) -> set[str]:
        """Those of `uids` that are jobs; with `deleted`, those that their owners deleted: tombstones."""
        of_them = select(jobs.c.uid).where(jobs.c.deleted_at.is_not(None) if deleted else true())
        with self._database.read() as connection:
            return {
                uid
                for at in range(0, len(uids), 500)
                for uid in connection.execute(of_them.where(jobs.c.uid.in_(uids[at : at + 500]))).scalars()
            }

    def counts(self) -> dict[str, int]:
        """How many jobs are queued, running and cancelling, of all owners."""
        query = select(jobs.c.state, func.count()).where(IS_OPEN).group_by(jobs.c.state)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def edit_segment(
        self,
        owner_id: int,
        uid: str,
        idx: int,
        *,
        version: int | None = None,
        text: str | None = None,
        speaker: str | None = None,
    ) -> SegmentRow:
        """Correct a finished segment; the job's text and the index follow.

        `version`: as read, None where it does not matter; the engine's own text is kept beside the edit.
        Raises UserError NOT_FOUND, CONFLICT (somebody edited meanwhile), BAD_STATE (not recognised yet).
        """
        with self._database.write() as connection:
            job = find(connection, owner_id, uid)
            row = next(iter(segments_of(connection, job.id, idx=idx)), None)
            if row is None:
                raise UserError("NOT_FOUND")
            if version not in (None, row.version):
                raise UserError("CONFLICT", param="version")
            if row.state == PENDING:
                raise UserError("BAD_STATE", state=row.state, action="edit")
            given = {"edited_text": text, "speaker": speaker}
            edit: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
            change = next_change(connection)
            edit |= {"version": row.version + 1, "change": change}
            here = (segments.c.job_id == job.id) & (segments.c.idx == idx)
            connection.execute(update(segments).where(here).values(edit))
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(version=change))
            if job.final:
                rewrite_text(connection, job.id)
            audit.record(connection, "segment.edit", uid, owner_id, idx=idx)
            return segments_of(connection, job.id, idx=idx)[0]

    def rename_speaker(self, owner_id: int, uid: str, speaker: str, name: str) -> int:
        """Call the speaker (a number, or the name given before) `name` in every segment; how many those are.

        Raises UserError NOT_FOUND where nobody is called so.
        """
        with self._database.erase() as connection:
            job = find(connection, owner_id, uid)
            change = next_change(connection)
            here = (segments.c.job_id == job.id) & (segments.c.speaker == speaker)
            named = {"speaker": name, "version": segments.c.version + 1, "change": change}
            count = connection.execute(update(segments).where(here).values(named)).rowcount
            if not count:
                raise UserError("NOT_FOUND", param="speaker")
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(version=change))
            audit.record(connection, "speaker.rename", uid, owner_id)
            return count

    def request_cancel(self, owner_id: int, uid: str) -> JobRow:
        """A queued job is cancelled at once, a running one between two batches; a finished one stays as it is.

        Raises UserError NOT_FOUND.
        """
        with self._database.write() as connection:
            job = find(connection, owner_id, uid)
            at = now_ms()
            ended = {"state": CANCELLED, "finished_at": at, "cancel_requested_at": at}
            if move(connection, job.id, (QUEUED,), ended, action="cancel", owner_id=owner_id):
                rewrite_text(connection, job.id)
            else:
                asked = {"state": CANCELLING, "cancel_requested_at": at}
                move(connection, job.id, (RUNNING,), asked, action="cancel", owner_id=owner_id)
            return _by_id(connection, job.id)

    def retry(self, owner_id: int, uid: str, *, model: str | None = None, model_revision: str | None = None) -> JobRow:
        """Queue a partial, failed or cancelled job again: only segments that are not done run.

        `model`, `model_revision`: another model than the frozen one, where the first was missing or too small.
        Raises UserError NOT_FOUND, BAD_STATE.
        """
        again: dict[str, Any] = {"state": QUEUED, "error": None, "finished_at": None, "cancel_requested_at": None}
        again |= {"attempt": 0, "seg_failed": 0, "lease_boot": None, "warnings": []}
        if model is not None:
            again |= {"model": model, "model_revision": model_revision or ""}
        with self._database.write() as connection:
            job = find(connection, owner_id, uid)
            _join_the_queue(connection, owner_id)
            again["stage"] = "prepare" if job.seg_total is None else "work"
            if not move(connection, job.id, RETRYABLE_STATES, again, action="retry", owner_id=owner_id):
                raise UserError("BAD_STATE", state=job.state, action="retry")
            reopen_segments(connection, job.id)
            return _by_id(connection, job.id)

    def delete(self, owner_id: int, uid: str) -> list[str]:
        """Leave a tombstone: private columns, segments, artifacts and index entry are gone, whatever the state.

        Returns the job's files, relative to data/, for the caller to remove. Raises UserError NOT_FOUND.
        """
        with self._database.erase() as connection:
            job = find(connection, owner_id, uid)
            search.remove(connection, job.id)
            state = job.state if job.final else CANCELLED
            gone: dict[str, Any] = {"state": state, "deleted_at": now_ms(), "lease_epoch": jobs.c.lease_epoch + 1}
            move(connection, job.id, (job.state,), gone | tombstones.blanks(jobs), action="delete", owner_id=owner_id)
            files = _drop_files(connection, job.id)
            tombstones.drop_belongings(connection, jobs, job.id)
        return files

    def expire(self, uid: str) -> list[str]:
        """The media go, the text stays: for retention, which comes later; nothing calls it yet.

        Returns the files to remove. Raises UserError NOT_FOUND, BAD_STATE.
        """
        with self._database.write() as connection:
            job = find(connection, None, uid)
            if not move(connection, job.id, FINAL_STATES - {EXPIRED}, {"state": EXPIRED}, action="expire"):
                raise UserError("BAD_STATE", state=job.state, action="expire")
            return _drop_files(connection, job.id)


def _submitted(
    connection: Connection, owner_id: int, new: Sequence[NewJob], idempotency_key: str | None, max_queued: int | None
) -> Submission:
    if idempotency_key and (known := _by_key(connection, owner_id, idempotency_key)):
        return Submission(known, repeated=True)
    _admit(connection, owner_id, len(new), max_queued)
    _join_the_queue(connection, owner_id)
    keys = [idempotency_key] + [None] * len(new)
    ids = [_insert(connection, owner_id, job, keys[at]) for at, job in enumerate(new)]
    return Submission([_by_id(connection, job_id) for job_id in ids])


def find(connection: Connection, owner_id: int | None, uid: str) -> JobRow:
    """Raises UserError NOT_FOUND where there is no such job, or it is another's."""
    query = select(*columns(jobs, JobRow)).where(jobs.c.uid == uid, jobs.c.deleted_at.is_(None))
    if owner_id is not None:
        query = query.where(jobs.c.owner_id == owner_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UserError("NOT_FOUND")
    return build(JobRow, row)


def segments_of(
    connection: Connection, job_id: int, *, after: int | None = None, idx: int | None = None, limit: int | None = None
) -> list[SegmentRow]:
    query = select(*columns(segments, SegmentRow)).where(segments.c.job_id == job_id).order_by(segments.c.idx)
    if after is not None:
        query = query.where(segments.c.change > after)
    if idx is not None:
        query = query.where(segments.c.idx == idx)
    return [build(SegmentRow, row) for row in connection.execute(query.limit(limit))]


def _by_id(connection: Connection, job_id: int) -> JobRow:
    return build(JobRow, connection.execute(select(*columns(jobs, JobRow)).where(jobs.c.id == job_id)).one())


def _by_key(connection: Connection, owner_id: int, key: str) -> list[JobRow]:
    query = select(*columns(jobs, JobRow)).order_by(jobs.c.id)
    mine = jobs.c.owner_id == owner_id
    first = connection.execute(query.where(mine, jobs.c.idempotency_key == key)).one_or_none()
    if first is None:
        return []
    together = and_(mine, jobs.c.batch == first.batch) if first.batch else jobs.c.id == first.id
    return [build(JobRow, row) for row in connection.execute(query.where(together))]


def _admit(connection: Connection, owner_id: int, count: int, max_queued: int | None) -> None:
    if max_queued is None:
        return
    waiting = select(func.count()).where(jobs.c.owner_id == owner_id, IS_QUEUED)
    queued = int(connection.execute(waiting).scalar_one())
    if queued + count > max_queued:
        after = seconds_until_fewer(connection, min(queued, queued + count - max_queued))
        raise UserError("QUEUE_FULL", count=queued, most=max_queued, retry_after=after)


def _join_the_queue(connection: Connection, owner_id: int) -> None:
    """An owner who was idle starts level with the least served of the busy ones: idleness banks no credit."""
    if connection.execute(select(jobs.c.id).where(jobs.c.owner_id == owner_id, IS_OPEN).limit(1)).first():
        return
    busy = select(jobs.c.owner_id).where(IS_OPEN)
    level = connection.execute(select(func.min(owners.c.vtime)).where(owners.c.id.in_(busy))).scalar_one_or_none()
    if level is not None:
        at_least = func.max(owners.c.vtime, level)
        connection.execute(update(owners).where(owners.c.id == owner_id).values(vtime=at_least))


def _insert(connection: Connection, owner_id: int, new: NewJob, idempotency_key: str | None) -> int:
    values = {key: value for key, value in vars(new).items() if key != "input"}
    values |= {"params": dict(new.params), "warnings": list(new.warnings), "idempotency_key": idempotency_key}
    if new.input is not None:
        values |= {"input_sha256": new.input.sha256, "input_bytes": new.input.bytes}
    values |= {"owner_id": owner_id, "state": QUEUED, "created_at": now_ms()}
    values["version"] = next_change(connection)
    job_id = int(connection.execute(insert(jobs).values(values)).lastrowid)
    if new.input is not None:
        add_artifact(connection, job_id, new.input)
    search.add(connection, job_id)
    audit.record(connection, "job.submit", new.uid, owner_id, kind=new.kind)
    return job_id


def add_artifact(connection: Connection, job_id: int, artifact: ArtifactRow) -> None:
    """Note a file of the job; it takes the place of one with the same path (a repeated last step)."""
    connection.execute(delete(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.path == artifact.path))
    connection.execute(insert(artifacts).values(**vars(artifact), job_id=job_id, created_at=now_ms()))


def reopen_segments(connection: Connection, job_id: int, *, done: bool = False) -> None:
    """Make the segments pending that are not done; with `done`, all."""
    unfinished = (segments.c.job_id == job_id) & ((segments.c.state != DONE) | done)
    again = {"state": PENDING, "attempt": 0, "error_code": None, "change": next_change(connection)}
    connection.execute(update(segments).where(unfinished).values(again))


def _drop_files(connection: Connection, job_id: int) -> list[str]:
    dropped = delete(artifacts).where(artifacts.c.job_id == job_id).returning(artifacts.c.path)
    return list(connection.execute(dropped).scalars())
