"""Whatever owners, workers, crashes and retention do to jobs in whatever order: the store stays consistent."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule
from sqlalchemy import text

from tests.jobs_kit import open_store
from webui.errors import UserError
from webui.store.queue import JOB_CRASHES, Cancelled, LeaseLost
from webui.store.rows import JobFilter, Lease, NewSegment, SegmentResult, SegmentRow

OWNERS = ("api", "local", "third")


class StoreMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_store(self.folder / "history.db")
        self.boot = 0
        self.preparing: list[Lease] = []
        self.working: list[tuple[Lease, list[SegmentRow]]] = []
        self.stale: list[Lease] = []  # of workers that died
        self.deleted: set[str] = set()
        self.done: dict[tuple[str, int], str] = {}  # what was committed, and must never change

    def teardown(self) -> None:
        self.store.database.close()
        shutil.rmtree(self.folder)

    @rule(target=jobs, owner=st.sampled_from(OWNERS), priority=st.sampled_from([0, 10]))
    def submit(self, owner: str, priority: int) -> str:
        return self.store.submit(self.store.owner(owner), priority=priority).uid

    @rule()
    def claim_to_prepare(self) -> None:
        claim = self.store.queue.claim("prepare", f"boot{self.boot}")
        if claim is not None:
            self.preparing.append(claim.lease)

    @precondition(lambda self: self.preparing)
    @rule(count=st.integers(0, 4), facts=st.booleans())
    def plan(self, count: int, facts: bool) -> None:
        lease = self.preparing.pop(0)
        try:
            self.store.queue.plan(lease, [NewSegment(at / 1000, (at + 1) / 1000) for at in range(count)], seconds=0.1)
        except (LeaseLost, Cancelled) as ended:
            self.end(lease, ended)

    @rule()
    def claim_to_work(self) -> None:
        claim = self.store.queue.claim("work", f"boot{self.boot}")
        if claim is not None:
            self.working.append((claim.lease, []))

    @precondition(lambda self: self.working)
    @rule(count=st.integers(1, 3))
    def take(self, count: int) -> None:
        lease, batch = self.working.pop(0)
        if batch:  # a worker commits before it takes again
            self.working.append((lease, batch))
            return
        try:
            batch = self.store.queue.take(lease, 60, count)
            if batch:
                self.working.append((lease, batch))
            else:
                self.store.queue.finish(lease)
        except (LeaseLost, Cancelled) as ended:
            self.end(lease, ended)

    @precondition(lambda self: self.working)
    @rule(states=st.lists(st.sampled_from(["done", "done", "failed", "skipped"]), min_size=3, max_size=3))
    def commit(self, states: list[str]) -> None:
        lease, batch = self.working.pop(0)
        results = [
            SegmentResult(
                row.idx, state, text=f"{row.idx}句" * (state == "done"), error_code=None if state == "done" else "CRASH"
            )
            for row, state in zip(batch, states, strict=False)
        ]
        try:
            self.store.queue.commit(lease, results, device="cpu", seconds=1)
        except LeaseLost as ended:
            self.end(lease, ended)
            return
        self.done |= {(lease.uid, result.idx): result.text for result in results if result.state == "done"}
        self.working.append((lease, []))

    @precondition(lambda self: any(not batch for _, batch in self.working))
    @rule()
    def release(self) -> None:
        at = next(at for at, (_, batch) in enumerate(self.working) if not batch)
        lease, _ = self.working.pop(at)
        try:
            self.store.queue.release(lease)
        except LeaseLost as ended:
            self.end(lease, ended)

    @rule(at_work_again=st.booleans())
    def crash(self, at_work_again: bool) -> None:
        self.stale += [*self.preparing, *(lease for lease, _ in self.working)]
        self.preparing, self.working = [], []
        self.boot += 1
        self.store.queue.recover()
        if at_work_again:
            self.claim_to_prepare()
            self.claim_to_work()
            self.dead_workers_cannot_write()

    def dead_workers_cannot_write(self) -> None:
        for lease in self.stale[-5:]:
            for write in (
                lambda: self.store.queue.commit(lease, [SegmentResult(0)], device="cpu", seconds=1),  # noqa: B023
                lambda: self.store.queue.finish(lease),  # noqa: B023
            ):
                try:
                    write()
                except LeaseLost:
                    continue
                raise AssertionError("a lease outlived its process")

    @rule(uid=jobs)
    def cancel(self, uid: str) -> None:
        self.as_owner("request_cancel", uid)

    @rule(uid=jobs)
    def retry(self, uid: str) -> None:
        self.as_owner("retry", uid)

    @rule(uid=jobs)
    def expire(self, uid: str) -> None:
        try:
            self.store.jobs.expire(uid)
        except UserError as refused:
            assert refused.code in ("BAD_STATE", "NOT_FOUND")

    @rule(target=jobs, uid=consumes(jobs))
    def delete(self, uid: str) -> object:
        self.as_owner("delete", uid)
        self.deleted.add(uid)
        return multiple()

    def as_owner(self, action: str, uid: str) -> None:
        try:
            getattr(self.store.jobs, action)(self.store.jobs.get(None, uid).owner_id, uid)
        except UserError as refused:
            assert refused.code in ("BAD_STATE", "NOT_FOUND")

    def end(self, lease: Lease, ended: Exception) -> None:
        if isinstance(ended, Cancelled):
            self.store.queue.end_cancelled(lease)

    @invariant()
    def counts_agree_with_the_segments(self) -> None:
        for job in self.store.history.page(JobFilter(None), limit=100):
            rows = self.store.jobs.segments(None, job.uid)
            states = Counter(row.state for row in rows)
            assert job.seg_done == states["done"]
            assert job.seg_failed == states["failed"] + states["skipped"]
            assert job.seg_total is None or job.seg_total == len(rows)
            assert 0 <= job.progress <= 1
            if job.state == "done":
                assert not states["pending"] and not job.seg_failed and job.error is None
            if job.state in ("done", "partial", "cancelled") and rows:
                assert job.text == "".join(row.text for row in rows)

    @invariant()
    def committed_segments_stay(self) -> None:
        for (uid, idx), content in self.done.items():
            if uid not in self.deleted:
                row = self.store.jobs.segments(None, uid)[idx]
                assert (row.state, row.text) == ("done", content)

    @invariant()
    def running_jobs_belong_to_the_living(self) -> None:
        with self.store.database.read() as connection:
            rows = connection.execute(
                text("SELECT lease_boot, attempt, stage FROM jobs WHERE state IN ('running', 'cancelling')")
            ).all()
        assert all(row.lease_boot == f"boot{self.boot}" and row.attempt <= JOB_CRASHES[row.stage] for row in rows)

    @invariant()
    def the_index_holds_what_the_jobs_hold(self) -> None:
        for owner in OWNERS:
            owner_id = self.store.owner(owner).id
            with_text = {
                job.uid for job in self.store.history.page(JobFilter(owner_id), limit=100) if "0句" in job.text
            }
            found = {job.uid for job in self.store.history.page(JobFilter(owner_id, "句"), limit=100)}
            assert with_text <= found

    @invariant()
    def the_database_is_sound(self) -> None:
        with self.store.database.read() as connection:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
