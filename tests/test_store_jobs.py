"""Jobs as their owners see them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.jobs_kit import Store, open_store
from webui.errors import UserError
from webui.store.audit import AuditLog
from webui.store.jobs import new_uid
from webui.store.queue import Cancelled, LeaseLost
from webui.store.rows import ArtifactRow, JobFilter, NewJob, NewSegment, SegmentResult
from webui.text.transcript import TimedWord


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def code_of(caught: pytest.ExceptionInfo[UserError]) -> str:
    return caught.value.code


def new(uid: str | None = None) -> NewJob:
    return NewJob(uid or new_uid(), "transcribe", {"language": "zh"}, "fake")


def test_a_submission_is_all_or_nothing(store: Store) -> None:
    twice = new_uid()
    with pytest.raises(Exception, match="UNIQUE"):
        store.jobs.submit(store.owner().id, [new(), new(twice), new(twice)])
    assert store.history.page(JobFilter(None)) == []


def test_the_same_idempotency_key_gives_the_same_jobs(store: Store) -> None:
    owner = store.owner().id
    batch = new_uid()
    files = [NewJob(new_uid(), "transcribe", {}, "fake", batch=batch) for _ in range(3)]
    first = store.jobs.submit(owner, files, idempotency_key="k")
    again = store.jobs.submit(owner, [new(), new()], idempotency_key="k")
    assert (first.repeated, again.repeated) == (False, True)
    assert [job.uid for job in again.jobs] == [job.uid for job in first.jobs] == [job.uid for job in files]
    other = store.jobs.submit(store.owner("local").id, [new()], idempotency_key="k")
    assert not other.repeated  # a key is its owner's


def test_an_owner_may_not_queue_without_end(store: Store) -> None:
    owner = store.owner().id
    store.jobs.submit(owner, [new(), new()], max_queued=2)
    with pytest.raises(UserError) as caught:
        store.jobs.submit(owner, [new()], max_queued=2)
    assert code_of(caught) == "QUEUE_FULL"
    store.jobs.submit(store.owner("local").id, [new()], max_queued=2)


def test_who_may_not_queue_more_is_told_for_how_long(store: Store) -> None:
    def told(count: int) -> int:
        with pytest.raises(UserError) as caught:
            store.jobs.submit(mine.id, [new() for _ in range(count)], max_queued=5)
        return int(caught.value.params["retry_after"])

    mine, other = store.owner(), store.owner("local")
    assert told(6) == 60  # nothing measured yet
    store.finished("好", other)  # in a second
    store.jobs.submit(mine.id, [new() for _ in range(5)])
    assert [told(1), told(3), told(99)] == [1, 3, 5]
    store.submit(other)  # with which the turns alternate
    assert told(3) == 6


def test_a_job_of_someone_else_is_not_there(store: Store) -> None:
    job = store.submit()
    stranger = store.owner("local").id
    for use in (store.jobs.get, store.jobs.segments, store.jobs.request_cancel, store.jobs.retry, store.jobs.delete):
        with pytest.raises(UserError) as caught:
            use(stranger, job.uid)
        assert code_of(caught) == "NOT_FOUND"
    assert store.jobs.get(None, job.uid).uid == job.uid


def test_an_edit_changes_the_text_and_is_found(store: Store) -> None:
    owner = store.owner()
    job = store.finished("今天天气很好", owner)
    segment = store.jobs.segments(owner.id, job.uid)[0]
    edited = store.jobs.edit_segment(owner.id, job.uid, 0, version=segment.version, text="今天股市很好", speaker="甲")
    assert (edited.edited_text, edited.text, edited.speaker) == ("今天股市很好", "今天天气很好", "甲")
    after = store.jobs.get(owner.id, job.uid)
    assert (after.text, after.text_raw) == ("今天股市很好", "今天天气很好")
    assert after.version > job.version and edited.change > segment.change
    assert [len(store.history.page(JobFilter(owner.id, word))) for word in ("股市", "天气")] == [1, 0]


def test_a_text_to_speak_stays_whatever_becomes_of_its_sentences(store: Store) -> None:
    owner, given = store.owner(), "第一句。第二句。"
    early = store.submit(owner, kind="speak", text=given)
    assert store.jobs.request_cancel(owner.id, early.uid).text == given
    job = store.submit(owner, kind="speak", text=given)
    claim = store.queue.claim("prepare", "boot")
    assert claim is not None
    store.queue.plan(claim.lease, [NewSegment(0, 0, source=part) for part in ("第一句。", "第二句。")])
    claim = store.queue.claim("work", "boot")
    assert claim is not None
    store.work(claim.lease, text="第一句。")
    store.queue.fail(claim.lease, UserError("INTERNAL", id="1"))
    assert store.jobs.get(owner.id, job.uid).text == given
    store.jobs.edit_segment(owner.id, job.uid, 0, text="别的")
    assert store.jobs.get(owner.id, job.uid).text == given
    assert [row.uid for row in store.history.page(JobFilter(owner.id, "第二"))] == [job.uid, early.uid]


def test_two_edits_of_the_same_version_conflict(store: Store) -> None:
    owner = store.owner()
    job = store.finished("一", owner)
    store.jobs.edit_segment(owner.id, job.uid, 0, version=0, text="二")
    with pytest.raises(UserError) as caught:
        store.jobs.edit_segment(owner.id, job.uid, 0, version=0, text="三")
    assert code_of(caught) == "CONFLICT"
    assert store.jobs.get(owner.id, job.uid).text == "二"


def test_what_is_not_recognised_yet_cannot_be_edited(store: Store) -> None:
    job = store.planned(1)
    with pytest.raises(UserError) as caught:
        store.jobs.edit_segment(job.owner_id, job.uid, 0, version=0, text="早")
    assert code_of(caught) == "BAD_STATE"
    with pytest.raises(UserError) as caught:
        store.jobs.edit_segment(job.owner_id, job.uid, 7, version=0, text="早")
    assert code_of(caught) == "NOT_FOUND"


def test_a_queued_job_is_cancelled_at_once(store: Store) -> None:
    job = store.submit()
    assert store.jobs.request_cancel(job.owner_id, job.uid).state == "cancelled"
    assert store.queue.claim("prepare", "boot") is None


def test_a_running_job_is_cancelled_between_batches_and_keeps_its_text(store: Store) -> None:
    job = store.planned(3)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.work(lease, text="开头")
    assert store.jobs.request_cancel(job.owner_id, job.uid).state == "cancelling"
    with pytest.raises(Cancelled):
        store.queue.take(lease, 1, 1)
    store.queue.end_cancelled(lease)
    after = store.jobs.get(job.owner_id, job.uid)
    assert (after.state, after.text, after.seg_done) == ("cancelled", "开头", 1)
    with pytest.raises(LeaseLost):
        store.queue.take(lease, 1, 1)


def test_a_retry_runs_only_what_is_not_done(store: Store) -> None:
    job = store.planned(3)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.work(lease, text="一")
    store.queue.take(lease, 2, 2)
    failed = [SegmentResult(idx, "failed", error_code="ENGINE_FAILED") for idx in (1, 2)]
    store.queue.commit(lease, failed, device="cpu", seconds=1)
    assert store.queue.finish(lease) == "partial"
    ended = store.jobs.get(None, job.uid)
    assert ended.error and ended.error.code == "ENGINE_FAILED"
    again = store.jobs.retry(job.owner_id, job.uid)
    assert (again.state, again.error, again.seg_done, again.seg_failed) == ("queued", None, 1, 0)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    assert store.work(lease, 5, text="二") == [1, 2]
    assert store.queue.finish(lease) == "done"
    assert store.jobs.get(None, job.uid).text == "一二二"


def test_only_what_ended_badly_can_be_retried(store: Store) -> None:
    for job in (store.finished("好"), store.submit()):
        with pytest.raises(UserError) as caught:
            store.jobs.retry(job.owner_id, job.uid)
        assert code_of(caught) == "BAD_STATE"


def test_a_retry_may_choose_another_model(store: Store) -> None:
    job = store.submit()
    store.jobs.request_cancel(job.owner_id, job.uid)
    again = store.jobs.retry(job.owner_id, job.uid, model="SenseVoiceSmall", model_revision="r2")
    assert (again.model, again.model_revision, again.stage) == ("SenseVoiceSmall", "r2", "prepare")


def test_a_deletion_leaves_nothing_but_a_tombstone(store: Store) -> None:
    files = ArtifactRow("input", "uploads/x/original.wav")
    job = store.finished("绝密内容", file_name="人事会议.wav", input=files, params={"hotwords": ["张三"]})
    assert store.jobs.delete(job.owner_id, job.uid) == ["uploads/x/original.wav"]
    with pytest.raises(UserError):
        store.jobs.get(None, job.uid)
    assert store.history.page(JobFilter(None, "绝密")) == store.history.page(JobFilter(None, "人事")) == []
    with store.database.read() as connection:
        everything = [
            str(connection.execute(text(f"SELECT * FROM {table}")).all())
            for table in ("jobs", "segments", "artifacts", "audit")
        ]
    assert not any(word in dump for dump in everything for word in ("绝密", "人事", "张三", "original"))
    assert job.uid in everything[0]


def test_a_running_job_that_is_deleted_loses_its_worker(store: Store) -> None:
    job = store.planned(2)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.jobs.delete(job.owner_id, job.uid)
    with pytest.raises(LeaseLost):
        store.queue.take(lease, 1, 1)


def test_expiry_keeps_the_text_and_gives_up_the_files(store: Store) -> None:
    job = store.finished("留下的字", input=ArtifactRow("input", "uploads/y/original.wav"))
    assert store.jobs.expire(job.uid) == ["uploads/y/original.wav"]
    after = store.jobs.get(None, job.uid)
    assert (after.state, after.text) == ("expired", "留下的字")
    with pytest.raises(UserError) as caught:
        store.jobs.expire(job.uid)
    assert code_of(caught) == "BAD_STATE"


def test_segments_after_a_change_are_only_the_new_ones(store: Store) -> None:
    job = store.planned(4)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.work(lease, 2)
    seen = max(row.change for row in store.jobs.segments(None, job.uid))
    assert store.jobs.segments(None, job.uid, after=seen) == []
    store.work(lease, 1)
    assert [row.idx for row in store.jobs.segments(None, job.uid, after=seen)] == [2]


def test_segments_that_joining_moved_have_changed(store: Store) -> None:
    job = store.planned(2)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.work(lease, 2)
    seen = max(row.change for row in store.jobs.segments(None, job.uid))
    store.queue.finish(lease, times={1: (4.0, 5.5)})
    moved = store.jobs.segments(None, job.uid, after=seen)
    assert [(row.idx, row.start, row.end) for row in moved] == [(1, 4.0, 5.5)]


def test_progress_never_falls(store: Store) -> None:
    job = store.submit()
    seen = [job.progress]
    lease = store.queue.claim("prepare", "boot").lease  # type: ignore[union-attr]
    store.queue.progress(lease, 0.5)
    seen.append(store.jobs.get(None, job.uid).progress)
    store.jobs.request_cancel(job.owner_id, job.uid)
    with pytest.raises(Cancelled):
        store.queue.progress(lease, 0.6)
    done = store.finished("好", store.owner("local"))
    assert sorted(seen) == seen and seen[1] == pytest.approx(0.05) and done.progress == 1


def test_every_transition_is_in_the_audit_log_which_cannot_be_changed(store: Store) -> None:
    job = store.finished("好")
    store.jobs.delete(job.owner_id, job.uid)
    actions = [row.action for row in AuditLog(store.database).page(object_uid=job.uid)][::-1]
    assert actions == ["job.submit", "job.claim.prepare", "job.plan", "job.claim.work", "job.finish", "job.delete"]
    for statement in ("UPDATE audit SET action = 'x'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="append-only"), store.database.write() as connection:
            connection.execute(text(statement))


def test_places_in_the_queue_take_turns_between_owners(store: Store) -> None:
    mine = [store.submit(store.owner("a")) for _ in range(5)]
    theirs = [store.submit(store.owner("b")) for _ in range(2)]
    places = store.jobs.places([*mine, *theirs])
    assert [places[job.uid].position for job in mine] == [1, 3, 5, 6, 7]
    assert [places[job.uid].position for job in theirs] == [2, 4]


def test_the_end_is_estimated_from_what_was_measured(store: Store) -> None:
    waiting = store.submit(store.owner("b"))
    assert store.jobs.places([waiting])[waiting.uid].eta_s is None  # nothing measured yet: nothing claimed
    store.jobs.request_cancel(waiting.owner_id, waiting.uid)
    job = store.planned(10)
    lease = store.queue.claim("work", "boot").lease  # type: ignore[union-attr]
    store.work(lease, 2, seconds=4)
    running = store.jobs.get(None, job.uid)
    place = store.jobs.places([running])[job.uid]
    assert (place.position, place.eta_s) == (None, pytest.approx(16))


def test_files_whose_job_is_gone_are_told_apart(store: Store) -> None:
    kept, gone = store.submit(), store.submit()
    store.jobs.delete(gone.owner_id, gone.uid)
    assert store.jobs.known([kept.uid, gone.uid, "nobody"]) == {kept.uid, gone.uid}
    assert store.jobs.known([kept.uid, gone.uid, "nobody"], deleted=True) == {gone.uid}


def test_times_are_seconds_in_rows_and_whole_milliseconds_in_the_database(store: Store) -> None:
    job = store.submit()
    claim = store.queue.claim("prepare", "boot")
    assert claim is not None
    store.queue.plan(claim.lease, [NewSegment(0.0004, 1.2346)])
    working = store.queue.claim("work", "boot")
    assert working is not None
    store.queue.take(working.lease, 1, 1)
    heard = SegmentResult(0, text="字", words=(TimedWord("字", 0.1004, 1.2, 0.5),), took=2.0)
    store.queue.commit(working.lease, [heard], device="cpu", seconds=2)
    with store.database.read() as connection:
        stored = connection.execute(text("SELECT start_ms, end_ms, took_ms, words FROM segments")).one()
    assert tuple(stored) == (0, 1235, 2000, '[["字",100,1200,0.5]]')
    row = store.jobs.segments(None, job.uid)[0]
    assert (row.start, row.end, row.took, row.words) == (0, 1.235, 2.0, (TimedWord("字", 0.1, 1.2, 0.5),))
