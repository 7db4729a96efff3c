"""The queue: fairness, batches, poison, devices, recovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs_kit import Store, open_store
from webui.errors import UserError
from webui.store.queue import JOB_CRASHES, SEGMENT_CRASHES, LeaseLost
from webui.store.rows import Claim, NewSegment, SegmentResult


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def claimed(store: Store, stage: str = "work", **options: object) -> Claim:
    claim = store.queue.claim(stage, "boot", **options)  # type: ignore[arg-type]
    assert claim is not None
    return claim


def plan_all(store: Store, segments: int, seconds: float = 1.0) -> None:
    while claim := store.queue.claim("prepare", "boot"):
        store.queue.plan(claim.lease, [NewSegment(at * seconds, (at + 1) * seconds) for at in range(segments)])


def turns(store: Store, count: int, seconds: float = 1.0) -> list[int]:
    """The owners of the next `count` slices of one worker."""
    owners: list[int] = []
    for _ in range(count):
        claim = claimed(store)
        owners.append(claim.lease.owner_id)
        store.work(claim.lease, seconds=seconds)
        job = store.jobs.get(None, claim.lease.uid)
        if job.seg_done == job.seg_total:
            store.queue.finish(claim.lease)
        else:
            store.queue.release(claim.lease)
    return owners


def test_owners_take_turns_however_many_files_one_has(store: Store) -> None:
    many, few = store.owner("many"), store.owner("few")
    for _ in range(20):
        store.submit(many)
    plan_all(store, 3)
    assert set(turns(store, 4)) == {many.id}
    store.submit(few)
    plan_all(store, 3)
    order = turns(store, 7)
    assert order.count(few.id) == 3, "the newcomer's three slices come within seven"
    assert few.id in order[:2]


def test_an_idle_owner_banks_no_credit(store: Store) -> None:
    busy, idle = store.owner("busy"), store.owner("idle")
    for _ in range(3):
        store.submit(busy)
    plan_all(store, 10)
    turns(store, 8, seconds=100)
    for _ in range(3):
        store.submit(idle)
    plan_all(store, 10)
    order = turns(store, 10)
    assert 4 <= order.count(idle.id) <= 6, "from now on half of the time, not all of it"


def test_weights_divide_the_time(store: Store) -> None:
    from sqlalchemy import text

    heavy, light = store.owner("heavy"), store.owner("light")
    with store.database.write() as connection:
        connection.execute(text("UPDATE owners SET weight = 3 WHERE id = :id"), {"id": heavy.id})
    store.submit(heavy), store.submit(light)
    plan_all(store, 30)
    assert 8 <= turns(store, 12).count(heavy.id) <= 10


def test_an_interactive_job_waits_for_one_batch_only(store: Store) -> None:
    store.submit(store.owner("a"))
    plan_all(store, 100)
    long = claimed(store)
    assert not store.queue.preempted(long.lease)
    quick = store.submit(store.owner("b"), priority=10)
    plan_all(store, 1)
    store.work(long.lease)
    assert store.queue.preempted(long.lease)
    store.queue.release(long.lease)
    assert claimed(store).lease.uid == quick.uid


def test_ones_own_urgent_job_goes_first_and_equals_wait(store: Store) -> None:
    owner = store.owner("a")
    store.submit(owner)
    plan_all(store, 3)
    running = claimed(store)
    store.submit(owner)
    plan_all(store, 3)
    assert not store.queue.preempted(running.lease)
    store.submit(owner, priority=10)
    plan_all(store, 3)
    assert store.queue.preempted(running.lease)


def test_a_job_goes_to_a_worker_of_the_device_it_asked_for(store: Store) -> None:
    asked, free = store.submit(device="cuda:0"), store.submit()
    plan_all(store, 1)
    assert claimed(store, devices=("auto", "cpu")).lease.uid == free.uid
    assert store.queue.claim("work", "boot", ("auto", "cpu")) is None
    assert claimed(store, devices=("auto", "cuda:0")).lease.uid == asked.uid


def test_a_lane_can_be_kept_for_interactive_jobs(store: Store) -> None:
    store.submit()
    assert store.queue.claim("prepare", "boot", least_priority=10) is None
    quick = store.submit(priority=10)
    assert claimed(store, "prepare", least_priority=10).lease.uid == quick.uid


def test_a_batch_is_as_long_as_asked_and_never_empty(store: Store) -> None:
    store.submit()
    plan_all(store, 6, seconds=4)
    lease = claimed(store).lease
    assert [len(store.work(lease, 3)), len(store.queue.take(lease, 12, 64))] == [1, 3]  # 3 s hold none, one is taken


def test_a_poison_segment_is_left_out_and_its_neighbours_are_done(store: Store) -> None:
    job = store.submit()
    plan_all(store, 5)
    attempts = dict.fromkeys(range(5), 0)
    for _ in range(40):
        lease = claimed(store).lease
        batch = [row.idx for row in store.queue.take(lease, 3, 3)]
        if not batch:
            assert store.queue.finish(lease) == "partial"
            break
        attempts |= {idx: attempts[idx] + 1 for idx in batch}
        if 2 in batch:  # this one kills the process
            store.queue.recover()
            continue
        store.queue.commit(lease, [SegmentResult(idx, text="好") for idx in batch], device="cpu", seconds=1)
        store.queue.release(lease)
    rows = store.jobs.segments(None, job.uid)
    assert [row.state for row in rows] == ["done", "done", "failed", "done", "done"]
    assert rows[2].error_code == "CRASH" and attempts[2] == SEGMENT_CRASHES
    assert max(count for idx, count in attempts.items() if idx != 2) <= 2
    after = store.jobs.get(None, job.uid)
    assert (after.seg_failed, after.error and after.error.code, after.text) == (1, "CRASH", "好好好好")


@pytest.mark.parametrize("stage", ["prepare", "work"])
def test_a_job_that_only_crashes_is_given_up(store: Store, stage: str) -> None:
    job = store.submit()
    if stage == "work":
        plan_all(store, 50)
    for _ in range(JOB_CRASHES[stage]):
        claimed(store, stage)
        store.queue.recover()
    after = store.jobs.get(None, job.uid)
    assert (after.state, after.error and after.error.code) == ("failed", "CRASH_LOOP")


def test_crashes_with_progress_between_do_not_count(store: Store) -> None:
    job = store.submit()
    plan_all(store, 30)
    for _ in range(30):
        store.work(claimed(store).lease)
        store.queue.recover()
    assert store.queue.finish(claimed(store).lease) == "done"
    assert store.jobs.get(None, job.uid).seg_done == 30


def test_being_put_back_is_no_crash(store: Store) -> None:
    job = store.submit()
    plan_all(store, 2)
    for _ in range(JOB_CRASHES["work"] + 3):
        store.queue.release(claimed(store).lease)
    claimed(store)
    store.queue.recover()
    assert store.jobs.get(None, job.uid).state == "queued"


def test_recovery_ends_a_cancellation_that_the_crash_overtook(store: Store) -> None:
    job = store.submit()
    plan_all(store, 2)
    lease = claimed(store).lease
    store.work(lease, text="一")
    store.jobs.request_cancel(job.owner_id, job.uid)
    found = store.queue.recover()
    assert (found.requeued, found.cancelled, found.given_up) == (0, 1, 0)
    after = store.jobs.get(None, job.uid)
    assert (after.state, after.text) == ("cancelled", "一")


def test_a_plan_is_made_once(store: Store) -> None:
    job = store.submit()
    plan_all(store, 3)
    store.jobs.request_cancel(job.owner_id, job.uid)
    assert store.jobs.retry(job.owner_id, job.uid).stage == "work"
    assert len(store.jobs.segments(None, job.uid)) == 3


def test_a_segment_is_committed_once(store: Store) -> None:
    store.submit()
    plan_all(store, 2)
    lease = claimed(store).lease
    store.work(lease)
    with pytest.raises(LeaseLost):
        store.queue.commit(lease, [SegmentResult(1), SegmentResult(0)], device="cpu", seconds=1)
    assert [row.state for row in store.jobs.segments(None, lease.uid)] == ["done", "pending"]


def test_a_worker_that_lost_its_job_cannot_write_to_it(store: Store) -> None:
    job = store.submit()
    plan_all(store, 2)
    old = claimed(store).lease
    store.queue.recover()
    new = claimed(store).lease
    error = UserError("INTERNAL")
    for write in (
        lambda: store.queue.plan(old, []),
        lambda: store.queue.progress(old, 0.5),
        lambda: store.queue.take(old, 1, 1),
        lambda: store.queue.commit(old, [SegmentResult(0)], device="cpu", seconds=1),
        lambda: store.queue.note(old, language="en"),
        lambda: store.queue.release(old),
        lambda: store.queue.fail(old, error),
        lambda: store.queue.end_cancelled(old),
        lambda: store.queue.finish(old),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert [store.work(new), store.work(new)] == [[0], [1]] and store.queue.finish(new) == "done"
    assert store.jobs.get(None, job.uid).language is None


def test_what_a_job_became_follows_from_its_segments(store: Store) -> None:
    cases = {
        ("done", "done"): "done",
        ("done", "failed"): "partial",
        ("failed", "failed"): "failed",
        ("skipped", "skipped"): "partial",
        ("failed", "skipped"): "partial",
    }
    for states, expected in cases.items():
        store.submit()
        plan_all(store, 2)
        lease = claimed(store).lease
        store.queue.take(lease, 2, 2)
        codes = {"failed": "ENGINE_FAILED", "skipped": "MODEL_NEEDED"}
        results = [SegmentResult(idx, state, error_code=codes.get(state)) for idx, state in enumerate(states)]
        store.queue.commit(lease, results, device="cpu", seconds=0)
        assert store.queue.finish(lease) == expected


def test_the_language_of_a_job_is_that_of_most_segments(store: Store) -> None:
    job = store.submit()
    plan_all(store, 3)
    lease = claimed(store).lease
    store.queue.take(lease, 3, 3)
    results = [SegmentResult(idx, text="x", language=code) for idx, code in enumerate(("en", "zh", "zh"))]
    store.queue.commit(lease, results, device="cpu", seconds=0)
    store.queue.finish(lease)
    assert store.jobs.get(None, job.uid).language == "zh"


def test_after_a_crash_one_segment_goes_first(store: Store) -> None:
    store.submit()
    plan_all(store, 10)
    assert len(store.queue.take(claimed(store).lease, 5, 5)) == 5
    store.queue.recover()
    lease = claimed(store).lease
    assert store.work(lease, 5) == [5], "a fresh one alone"
    assert store.work(lease, 5) == [6, 7, 8, 9]
    assert [store.work(lease, 5) for _ in range(6)] == [[0], [1], [2], [3], [4], []], "then the suspects, one by one"
