"""A job's text as a file, of recordings of hours too."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import fields
from typing import Any

import pytest

from webui.server.present import job_view, segment_view
from webui.server.results import write_result
from webui.service.jobs import JobSegments
from webui.store.rows import JobRow, SegmentRow
from webui.text.transcript import TimedWord


@pytest.fixture
def job() -> JobRow:
    values: dict[str, Any] = {field.name: None for field in fields(JobRow)}
    values |= {"uid": "ab" * 16, "kind": "transcribe", "state": "done", "file_name": "热线.wav", "model": "fake"}
    values |= {"params": {}, "devices": {}, "warnings": (), "text": "", "text_raw": "", "model_revision": ""}
    return JobRow(**values | {"work_ms": 0, "created_at": 0})


def said(count: int) -> list[SegmentRow]:
    """Segments of twenty characters, each with its times."""
    text = "您好请帮我转接教务处我想问一下明天的考试"
    return [
        SegmentRow(
            idx, 0, idx * 4.0, idx * 4.0 + 4.0, "done", "", text, text,
            [TimedWord(character, place * 0.2, place * 0.2 + 0.18, 0.9) for place, character in enumerate(text)],
            "zh", None, 0.9, 0, "cpu", 0.05, None, None, 0, idx,
        )
        for idx in range(count)
    ]  # fmt: skip


def test_json_is_the_job_with_its_segments(job: JobRow) -> None:
    segments = said(3)
    result = write_result(JobSegments(job, segments), "json", "zh")
    views = [segment_view(segment, job, "zh").model_dump() for segment in segments]
    assert json.loads(result.content) == {**job_view(job, None, "zh").model_dump(), "segments": views}
    assert json.loads(write_result(JobSegments(job, []), "json", "zh").content)["segments"] == []


def test_json_of_hours_takes_little_more_memory_than_the_file_has(job: JobRow) -> None:
    segments = said(3000)
    write_result(JobSegments(job, segments[:1]), "json", "zh")
    tracemalloc.start()
    try:
        result = write_result(JobSegments(job, segments), "json", "zh")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(result.content) > 2**21 and peak < 3 * len(result.content)
