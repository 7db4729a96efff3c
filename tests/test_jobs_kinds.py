"""Kinds of jobs: every one has its object, and what a row keeps is read once, or ends the job with a reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.jobs_kit import Store, open_store
from webui.audio.intake import Decoder
from webui.errors import Notice, UserError
from webui.hosting.host import ModelHost
from webui.jobs import params
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context, Worker
from webui.jobs.kinds import KINDS, Kind
from webui.jobs.runner import JobRunner
from webui.settings import Settings
from webui.store.rows import Claim, JobRow, NewSegment, SegmentResult
from webui.store.states import CONVERT, JOB_KINDS, SPEAK, TRANSCRIBE


@dataclasses.dataclass
class Working:
    """A store whose jobs are worked on."""

    store: Store
    feed: ChangeFeed

    def ended(self, **values: Any) -> JobRow:
        job = self.store.submit(**values)
        since = 0
        for _ in range(60):
            row = self.store.jobs.get(None, job.uid)
            if row.final:
                return row
            since = self.feed.wait(job.owner_id, since, 1).now
        raise AssertionError(row)


@pytest.fixture
def working(settings: Settings) -> Iterator[Working]:
    settings = settings.model_copy(update={"engines": ("benchmarks.fake_engine",)})
    store = open_store(settings.database)
    feed = ChangeFeed(store.database)
    feed.start()
    decoder = Decoder(settings)
    runner = JobRunner(Context.build(settings, store.database, ModelHost(settings), decoder), feed)
    runner.start()
    yield Working(store, feed)
    runner.stop()
    decoder.close()
    feed.stop()


def test_every_kind_of_job_has_its_object() -> None:
    assert set(KINDS) == set(JOB_KINDS)


def test_of_a_recording_the_recording_is_played_and_of_speech_the_result() -> None:
    assert {name: kind.played for name, kind in KINDS.items()} == {
        TRANSCRIBE: "playable",
        SPEAK: "output",
        CONVERT: "output",
    }


def test_a_new_kind_is_an_object_and_nothing_else(working: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of another, for the table of jobs allows no unknown name."""

    def plan(context: Context, claim: Claim) -> None:
        context.queue.plan(claim.lease, [NewSegment(0, 0) for _ in range(3)])

    def count(context: Context, claim: Claim, worker: Worker) -> None:
        while batch := context.queue.take(claim.lease, 0, 1):
            said = [SegmentResult(row.idx, text=str(row.idx)) for row in batch]
            context.queue.commit(claim.lease, said, device=worker.device, seconds=0)
        context.queue.finish(claim.lease)

    monkeypatch.setitem(KINDS, CONVERT, Kind(plan, count, "text"))
    job = working.ended(kind=CONVERT)
    assert (job.state, job.error) == ("done", None)
    assert [row.text for row in working.store.jobs.segments(None, job.uid)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("kind", "kept", "field", "reason"),
    [
        (SPEAK, {"text": "你好。", "speed": "fast"}, "speed", Notice("FIELD_NUMBER")),
        (SPEAK, {"text": "你好。", "lexicon": {"重庆": 1}}, "lexicon.重庆", Notice("FIELD_TEXT")),
        (CONVERT, {}, "voice", Notice("FIELD_MISSING")),
        (TRANSCRIBE, {"hotwords": 3}, "hotwords", Notice("FIELD_LIST")),
    ],
)
def test_a_row_with_odd_parameters_ends_its_job_and_the_next_one_runs(
    working: Working, kind: str, kept: dict[str, Any], field: str, reason: Notice
) -> None:
    job = working.ended(kind=kind, params=kept)
    assert (job.state, job.error) == ("failed", Notice("JOB_PARAMS", {"field": field, "reason": reason}))
    assert working.ended(kind=SPEAK, params={"text": "你好。", "voice": "builtin"}).state == "done"


def test_a_job_begun_by_another_version_takes_what_is_left_out_and_passes_over_what_is_gone() -> None:
    kept = {"text": "你好。", "voice": "小张", "tempo": 3, "language": "", "seed": None}
    assert params.stored(params.StoredSpeakParams, kept) == params.StoredSpeakParams(text="你好。", voice="小张")


def test_the_model_and_the_device_of_a_job_are_those_of_its_row() -> None:
    """A folder's name may be longer than what a request may send."""
    assert params.stored(params.TranscribeParams, {"model": "m" * 250}) == params.TranscribeParams()


def test_a_request_cannot_bring_its_own_lexicon() -> None:
    sent = {"text": "重庆", "lexicon": {"重庆": "[chong2][qing4]"}}
    with pytest.raises(ValueError, match="lexicon"):
        params.SpeakParams.model_validate(sent)
    with pytest.raises(UserError):
        params.stored(params.StoredSpeakParams, {**sent, "lexicon": "重庆"})
    assert params.stored(params.StoredSpeakParams, sent).lexicon == sent["lexicon"]
