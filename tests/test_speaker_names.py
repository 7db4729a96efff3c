"""A speaker gets a name once, and has it in the whole transcript and in its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs_kit import open_store
from webui.errors import UserError
from webui.store.rows import SegmentResult


def test_a_name_reaches_every_segment_of_the_speaker_and_no_other(tmp_path: Path) -> None:
    store = open_store(tmp_path / "history.db")
    job = store.planned(3)
    claim = store.queue.claim("work", "boot")
    assert claim is not None
    batch = store.queue.take(claim.lease, 3, 3)
    results = [SegmentResult(row.idx, text="字", speaker=speaker) for row, speaker in zip(batch, "121", strict=True)]
    store.queue.commit(claim.lease, results, device="cpu", seconds=1)
    store.queue.finish(claim.lease)
    before = store.jobs.segments(None, job.uid)

    assert store.jobs.rename_speaker(job.owner_id, job.uid, "1", "坐席") == 2
    after = store.jobs.segments(None, job.uid)
    assert [row.speaker for row in after] == ["坐席", "2", "坐席"]
    assert [row.version for row in after] == [1, 0, 1]  # an edit of the old version conflicts
    newest = max(row.change for row in before)
    assert [row.idx for row in store.jobs.segments(None, job.uid, after=newest)] == [0, 2]
    assert store.jobs.get(None, job.uid).version > newest

    for owner, speaker in ((job.owner_id, "3"), (store.owner("local").id, "2")):
        with pytest.raises(UserError) as caught:
            store.jobs.rename_speaker(owner, job.uid, speaker, "甲")
        assert caught.value.code == "NOT_FOUND"
