"""The queue as workers use it: claim, plan, take, commit, finish. The job table is the queue.

Fairness is start-time fair queueing (Goyal, Vin, Cheng 1996): every slice adds its seconds to the owner's virtual
time, and the claim prefers priority, then the least virtual time, then age. A slice is one batch of segments, so that
bounds how long an interactive job waits, not the length of somebody's file.
Every write carries the lease's epoch: a worker that lost its job cannot write to it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, text, update

from webui.audio.units import Seconds
from webui.errors import Notice, UserError
from webui.store import audit
from webui.store.database import Database
from webui.store.jobs import add_artifact, reopen_segments
from webui.store.rows import (
    ArtifactRow,
    Claim,
    JobRow,
    Lease,
    NewSegment,
    Recovered,
    SegmentResult,
    SegmentRow,
    build,
    columns,
    now_ms,
)
from webui.store.schema import IS_OPEN, jobs, owners, segments
from webui.store.states import CANCELLED, CANCELLING, DONE, FAILED, PARTIAL, PENDING, QUEUED, RUNNING, SKIPPED
from webui.store.transitions import first_error, move, next_change, rewrite_text

SEGMENT_CRASHES = 3  # a segment begun so often without an end is left out
JOB_CRASHES = {"prepare": 3, "work": 9}  # claims without progress, by stage, before the job is given up

_NEXT = text(
    """
    WITH RECURSIVE busy(owner) AS (  -- the owners who wait, by a loose index scan: not every queued row is read
        SELECT min(owner_id) FROM jobs INDEXED BY jobs_queue WHERE state = 'queued' AND stage = :stage
        UNION ALL
        SELECT (SELECT min(owner_id) FROM jobs INDEXED BY jobs_queue
                WHERE state = 'queued' AND stage = :stage AND owner_id > busy.owner)
        FROM busy WHERE busy.owner IS NOT NULL
    )
    SELECT jobs.id, jobs.owner_id, jobs.priority, jobs.seg_done, owners.vtime
    FROM busy JOIN owners ON owners.id = busy.owner
    JOIN jobs ON jobs.id = (
        SELECT id FROM jobs INDEXED BY jobs_queue WHERE state = 'queued' AND stage = :stage AND owner_id = busy.owner
        AND priority >= :least AND (:any OR device IN :devices)
        ORDER BY priority DESC, id LIMIT 1)
    ORDER BY jobs.priority DESC, owners.vtime, jobs.id LIMIT 1
    """
).bindparams(bindparam("devices", expanding=True))


class LeaseLost(Exception):
    """The job is no longer this worker's: cancelled and ended, deleted, or taken back. Stop, write nothing."""


class Cancelled(Exception):
    """The owner wants the job to stop: end it with `Queue.end_cancelled`."""


class Queue:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, stage: str, boot: str, devices: Sequence[str] | None = None, *, least_priority: int = 0
    ) -> Claim | None:
        """The next job of `stage` ("prepare" or "work"); None where none waits.

        `boot` names the living process in the row. `devices`: the accepted ones ("auto", "cuda:0"), None = any.
        `least_priority`: 10 = interactive jobs only.
        """
        with self._database.read() as connection:  # most looks find nothing: they shall not take the write lock
            if _next(connection, stage, devices, least_priority) is None:
                return None
        with self._database.write() as connection:
            chosen = _next(connection, stage, devices, least_priority)
            return None if chosen is None else _lease(connection, chosen, stage, boot)

    def plan(
        self,
        lease: Lease,
        new: Sequence[NewSegment],
        *,
        artifacts: Iterable[ArtifactRow] = (),
        seconds: Seconds = 0,
        **facts: Any,
    ) -> None:
        """Write all segments at once and queue the job for the device workers. A job is planned once.

        `seconds`: what preparing took, charged to the owner. `facts`: columns found: duration_ms, warnings, language.
        A job without segments is done. Raises LeaseLost, Cancelled.
        """
        rows = [{**vars(segment), "job_id": lease.job_id, "idx": idx} for idx, segment in enumerate(new)]
        with self._database.write() as connection:
            job = _held(connection, lease)
            if job.state == CANCELLING:
                raise Cancelled
            if rows and job.seg_total is None:
                connection.execute(insert(segments), rows)
            for artifact in artifacts:
                add_artifact(connection, lease.job_id, artifact)
            charge(connection, lease.owner_id, seconds)
            values = {"seg_total": len(rows), "stage": "work", "prepare_progress": 1.0}
            values |= {"attempt": 0, "lease_boot": None}
            after = {"state": QUEUED} if rows else {"state": DONE, "finished_at": now_ms()}
            move(connection, lease.job_id, (RUNNING,), after | values | facts, action="plan")

    def progress(self, lease: Lease, fraction: float, duration_ms: int | None = None) -> None:
        """How far preparing is (0 … 1). Raises LeaseLost, Cancelled."""
        values: dict[str, Any] = {"prepare_progress": fraction}
        if duration_ms is not None:
            values["duration_ms"] = duration_ms
        with self._database.write() as connection:
            if _held(connection, lease).state == CANCELLING:
                raise Cancelled
            _set(connection, lease, values)

    def take(self, lease: Lease, seconds: Seconds, count: int) -> list[SegmentRow]:
        """The next batch of pending segments: at most `count`, and as many as fit into `seconds` of audio (one always).

        Each counts as begun, so that a crash is seen at the next take; what was begun before goes alone, when all
        the rest is done, and what was begun three times is left out as CRASH. After a crash the first batch is one
        segment, so that there is progress. Have the model loaded: a crash of loading is not the segment's.
        An empty list: nothing is left to do. Raises LeaseLost, Cancelled.
        """
        with self._database.write() as connection:
            if _held(connection, lease).state == CANCELLING:
                raise Cancelled
            _leave_out_poison(connection, lease)
            claims = connection.execute(select(jobs.c.attempt).where(jobs.c.id == lease.job_id)).scalar_one()
            batch = _batch(connection, lease.job_id, seconds, count if claims <= 1 else 1)
            if batch:
                begun = _among(lease, [row.idx for row in batch])
                connection.execute(update(segments).where(begun).values(attempt=segments.c.attempt + 1))
            return batch

    def commit(self, lease: Lease, results: Sequence[SegmentResult], *, device: str, seconds: Seconds) -> None:
        """Write a batch's results in one transaction. `seconds`: the wall time it took, charged to the owner.

        Each segment must still be pending. Raises LeaseLost (then nothing of the batch is written).
        """
        with self._database.write() as connection:
            _held(connection, lease)
            change = next_change(connection)
            for result in results:
                _commit_segment(connection, lease, result, device, change)
            failed = sum(result.state != DONE for result in results)
            values = {
                "seg_done": jobs.c.seg_done + len(results) - failed,
                "seg_failed": jobs.c.seg_failed + failed,
                "work_ms": jobs.c.work_ms + round(seconds * 1000),
                "attempt": 1,
                "version": change,
            }
            _set(connection, lease, values, changed=False)
            charge(connection, lease.owner_id, seconds)

    def note(self, lease: Lease, **values: Any) -> None:
        """Set columns of the running job (devices, language, warnings). Raises LeaseLost."""
        with self._database.write() as connection:
            _held(connection, lease)
            _set(connection, lease, values)

    def note_device(self, lease: Lease, stage: str, device: str) -> None:
        """Name `device` among those that did `stage`, in order: "npu:0, cpu". Raises LeaseLost."""
        with self._database.write() as connection:
            devices = _held(connection, lease).devices
            named = [name for name in devices.get(stage, "").split(", ") if name]
            if device not in named:
                _set(connection, lease, {"devices": {**devices, stage: ", ".join([*named, device])}})

    def warn(self, lease: Lease, warning: Notice) -> None:
        """Add to the running job's warnings, where it is not among them yet. Raises LeaseLost."""
        with self._database.write() as connection:
            warnings = _held(connection, lease).warnings
            if warning not in warnings:
                _set(connection, lease, {"warnings": [*warnings, warning]})

    def preempted(self, lease: Lease, devices: Sequence[str] | None = None) -> bool:
        """Whether another job should run before the next batch of this one."""
        own = select(jobs.c.priority, owners.c.vtime).join(owners, owners.c.id == jobs.c.owner_id)
        with self._database.read() as connection:
            first = _next(connection, "work", devices)
            if first is None:
                return False
            priority, vtime = connection.execute(own.where(jobs.c.id == lease.job_id)).one()
            if first.owner_id == lease.owner_id:
                return bool(first.priority > priority)
            return (-first.priority, first.vtime) < (-priority, vtime)

    def release(self, lease: Lease) -> None:
        """Put the job back in the queue between two batches (drain, pre-emption): no crash. Raises LeaseLost."""
        values = {"state": QUEUED, "attempt": func.max(jobs.c.attempt - 1, 0), "lease_boot": None}
        with self._database.write() as connection:
            if _held(connection, lease).state == CANCELLING:
                conclude_cancelled(connection, lease.job_id)
                return
            move(connection, lease.job_id, (RUNNING,), values, action=None)

    def finish(
        self,
        lease: Lease,
        *,
        artifacts: Iterable[ArtifactRow] = (),
        warnings: Iterable[Notice] = (),
        error: Notice | None = None,
        times: Mapping[int, tuple[Seconds, Seconds]] | None = None,
        speakers: Mapping[int, str] | None = None,
        **values: Any,
    ) -> str:
        """End the job by what its segments became; returns the state: done, partial or failed.

        `times`: segment → start and end in seconds, where joining moved them. `speakers`: segment → who speaks.
        `values`: further columns (language …).
        Raises LeaseLost.
        """
        with self._database.write() as connection:
            job = _held(connection, lease)
            for artifact in artifacts:
                add_artifact(connection, lease.job_id, artifact)
            change = next_change(connection)
            for idx, (start, end) in (times or {}).items():
                moved = {"start": start, "end": end, "change": change}
                connection.execute(update(segments).where(_among(lease, [idx])).values(moved))
            _name_speakers(connection, lease, speakers or {}, change)
            state, found = _verdict(connection, job)
            values = {"language": _main_language(connection, job)} | values
            values |= {"state": state, "error": error or found, "warnings": [*job.warnings, *warnings]}
            values |= {"finished_at": now_ms(), "lease_boot": None}
            rewrite_text(connection, lease.job_id)
            move(connection, lease.job_id, (RUNNING, CANCELLING), values, action="finish")
            return state

    def fail(self, lease: Lease, error: UserError) -> None:
        """End the job as failed; what its segments hold stays. Raises LeaseLost."""
        values = {"state": FAILED, "error": error.notice, "finished_at": now_ms(), "lease_boot": None}
        with self._database.write() as connection:
            _held(connection, lease)
            rewrite_text(connection, lease.job_id)
            move(connection, lease.job_id, (RUNNING, CANCELLING), values, action="fail")

    def forget_work(self, lease: Lease, *, action: str) -> None:
        """Make every segment pending again: what was made must not be kept. Raises LeaseLost."""
        with self._database.write() as connection:
            job = _held(connection, lease)
            reopen_segments(connection, lease.job_id, done=True)
            _set(connection, lease, {"seg_done": 0, "seg_failed": 0})
            audit.record(connection, action, lease.uid, segments=job.seg_done)

    def end_cancelled(self, lease: Lease) -> None:
        """The owner's cancellation has reached the worker: finished segments and their text stay. Raises LeaseLost."""
        with self._database.write() as connection:
            _held(connection, lease)
            conclude_cancelled(connection, lease.job_id)

    def recover(self) -> Recovered:
        """At start, when no worker lives: running → queued (or given up), cancelling → cancelled."""
        with self._database.write() as connection:
            rows = connection.execute(
                select(jobs.c.id, jobs.c.state, jobs.c.stage, jobs.c.attempt).where(IS_OPEN, jobs.c.state != QUEUED)
            ).all()
            ended = [_recover_one(connection, row) for row in rows]
        return Recovered(ended.count(QUEUED), ended.count(CANCELLED), ended.count(FAILED))


def charge(connection: Connection, owner_id: int, seconds: Seconds) -> None:
    """Add service to the owner's virtual time: seconds / weight."""
    more = owners.c.vtime + seconds / owners.c.weight
    connection.execute(update(owners).where(owners.c.id == owner_id).values(vtime=more))


def conclude_cancelled(connection: Connection, job_id: int) -> None:
    values = {"state": CANCELLED, "finished_at": now_ms(), "lease_boot": None}
    rewrite_text(connection, job_id)
    move(connection, job_id, (CANCELLING,), values, action=CANCELLED)


def _next(
    connection: Connection, stage: str, devices: Sequence[str] | None, least_priority: int = 0
) -> Row[Any] | None:
    wanted = {"stage": stage, "devices": list(devices or ()), "any": devices is None, "least": least_priority}
    return connection.execute(_NEXT, wanted).one_or_none()


def _lease(connection: Connection, chosen: Row[Any], stage: str, boot: str) -> Claim:
    values = {
        "state": RUNNING,
        "attempt": jobs.c.attempt + 1,
        "lease_epoch": jobs.c.lease_epoch + 1,
        "lease_boot": boot,
        "started_at": func.coalesce(jobs.c.started_at, now_ms()),
    }
    move(connection, chosen.id, (QUEUED,), values, action=None if chosen.seg_done else f"claim.{stage}")
    row = connection.execute(select(*columns(jobs, JobRow), jobs.c.lease_epoch).where(jobs.c.id == chosen.id)).one()
    job = JobRow(*row[:-1])
    return Claim(Lease(job.id, job.uid, job.owner_id, row.lease_epoch), job)


def _mine(lease: Lease) -> Any:
    running = jobs.c.state.in_((RUNNING, CANCELLING))
    return (jobs.c.id == lease.job_id) & (jobs.c.lease_epoch == lease.epoch) & running


def _held(connection: Connection, lease: Lease) -> JobRow:
    row = connection.execute(select(*columns(jobs, JobRow)).where(_mine(lease))).one_or_none()
    if row is None:
        raise LeaseLost
    return build(JobRow, row)


def _set(connection: Connection, lease: Lease, values: Mapping[str, Any], *, changed: bool = True) -> None:
    number = {"version": next_change(connection)} if changed else {}
    connection.execute(update(jobs).where(_mine(lease)).values(**number, **values))


def _among(lease: Lease, indexes: Sequence[int]) -> Any:
    return (segments.c.job_id == lease.job_id) & segments.c.idx.in_(indexes)


def _batch(connection: Connection, job_id: int, seconds: Seconds, count: int) -> list[SegmentRow]:
    query = select(*columns(segments, SegmentRow)).where(segments.c.job_id == job_id, segments.c.state == PENDING)
    batch: list[SegmentRow] = []
    total = 0.0
    for row in connection.execute(query.order_by(segments.c.attempt, segments.c.idx).limit(count)):
        segment = build(SegmentRow, row)
        total += segment.end - segment.start
        if batch and (total > seconds or segment.attempt):
            break
        batch.append(segment)
        if segment.attempt:
            break
    return batch


def _leave_out_poison(connection: Connection, lease: Lease) -> None:
    pending = (segments.c.job_id == lease.job_id) & (segments.c.state == PENDING)
    poison = pending & (segments.c.attempt >= SEGMENT_CRASHES)
    left_out = update(segments).where(poison).values(state=FAILED, error_code="CRASH")
    indexes = connection.execute(left_out.returning(segments.c.idx)).scalars().all()
    if indexes:
        change = next_change(connection)
        connection.execute(update(segments).where(_among(lease, indexes)).values(change=change))
        _set(connection, lease, {"seg_failed": jobs.c.seg_failed + len(indexes), "version": change}, changed=False)


def _commit_segment(connection: Connection, lease: Lease, result: SegmentResult, device: str, change: int) -> None:
    values = {key: value for key, value in vars(result).items() if key not in ("idx", "end")}
    values |= {"device": result.device or device, "change": change, "attempt": 0}
    if result.end is not None:
        values["end"] = result.end
    here = _among(lease, [result.idx]) & (segments.c.state == PENDING)
    if connection.execute(update(segments).where(here).values(values)).rowcount != 1:
        raise LeaseLost


def _name_speakers(connection: Connection, lease: Lease, speakers: Mapping[int, str], change: int) -> None:
    """A name that somebody gave meanwhile stays."""
    for idx, speaker in speakers.items():
        here = _among(lease, [idx]) & segments.c.speaker.is_(None)
        connection.execute(update(segments).where(here).values(speaker=speaker, change=change))


def _verdict(connection: Connection, job: JobRow) -> tuple[str, Notice | None]:
    """All done → done; some failed or skipped → partial; all failed → failed."""
    if not job.seg_failed:
        return DONE, None
    query = select(func.count()).where(segments.c.job_id == job.id, segments.c.state == SKIPPED)
    skipped = int(connection.execute(query).scalar_one())
    state = PARTIAL if job.seg_done or skipped else FAILED
    return state, first_error(connection, job.id, {"language": job.params.get("language", "")})


def _main_language(connection: Connection, job: JobRow) -> str | None:
    """The language of most segments, else what the job had."""
    mine = (segments.c.job_id == job.id) & segments.c.language.is_not(None)
    often = select(segments.c.language).where(mine).group_by(segments.c.language).order_by(func.count().desc())
    return connection.execute(often.limit(1)).scalar_one_or_none() or job.language


def _recover_one(connection: Connection, row: Any) -> str:
    if row.state == CANCELLING:
        conclude_cancelled(connection, row.id)
        return CANCELLED
    values: dict[str, Any] = {"state": QUEUED, "lease_boot": None}
    if row.attempt >= JOB_CRASHES[row.stage]:
        error = Notice("CRASH_LOOP")
        values = {"state": FAILED, "lease_boot": None, "error": error, "finished_at": now_ms()}
        rewrite_text(connection, row.id)
    move(connection, row.id, (RUNNING,), values, action="recover")
    return str(values["state"])
