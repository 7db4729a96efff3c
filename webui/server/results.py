"""A job's text as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webui.errors import UserError
from webui.server.present import job_view, segment_view
from webui.service.jobs import JobSegments
from webui.store.rows import JobRow, SegmentRow
from webui.store.states import DONE
from webui.text.file_names import download_stem
from webui.text.formats import TRANSCRIPT_FORMATS
from webui.text.transcript import Transcript, TranscriptSegment

_NAMES = {
    "zh": ("文件", "提交时间", "时长", "模型", "语言", "SHA-256"),
    "en": ("File", "Submitted", "Duration", "Model", "Language", "SHA-256"),
}
HEADINGS = {"zh": ("开始", "结束", "说话人", "文字"), "en": ("start", "end", "speaker", "text")}
FILE = {"zh": "文件", "en": "file"}
_SPEAKER = {"zh": "说话人 {}", "en": "Speaker {}"}
_CHANNEL = {"zh": "声道 {}", "en": "Channel {}"}


@dataclass(frozen=True)
class Result:
    """`name` as the download is called."""

    content: bytes
    mime: str
    name: str


def write_result(found: JobSegments, file_format: str, locale: str) -> Result:
    """In one of TRANSCRIPT_FORMATS; JSON is the Job with its segments. Raises NOT_FOUND for another format."""
    job, segments = found.job, found.segments
    known = TRANSCRIPT_FORMATS.get(file_format)
    if known is None:
        raise UserError("NOT_FOUND")
    content = known.write(transcript_of(found, locale)) if known.write else _json(job, segments, locale)
    return Result(content, known.mime, f"{download_stem(job.file_name, job.text)}.{file_format}")


def _json(job: JobRow, segments: Sequence[SegmentRow], locale: str) -> bytes:
    """A segment a line, each encoded by itself: the words of hours as one object take half a gigabyte."""
    head = _encoded(job_view(job, None, locale).model_dump(), indent=1).removesuffix(b"\n}")
    lines = (b"  " + _encoded(segment_view(segment, job, locale).model_dump()) for segment in segments)
    return head + b',\n "segments": [\n' + b",\n".join(lines) + b"\n ]\n}"


def _encoded(value: object, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace")


def transcript_of(found: JobSegments, locale: str) -> Transcript:
    """What was said or spoken, worded for the reader."""
    job, segments = found.job, found.segments
    split = any(segment.channel for segment in segments)
    return Transcript(
        title=job.file_name or download_stem("", job.text),
        facts=_facts(job, locale),
        columns=HEADINGS[locale],
        segments=tuple(_segment(segment, split, locale) for segment in segments if segment.state == DONE),
    )


def _facts(job: JobRow, locale: str) -> tuple[tuple[str, str], ...]:
    seconds = None if job.duration_ms is None else f"{job.duration_ms / 1000:.1f} s"
    values = (job.file_name, _local(job.created_at), seconds, job.model, job.language, job.input_sha256)
    return tuple((name, value) for name, value in zip(_NAMES[locale], values, strict=True) if value)


def _local(ms: int) -> str:
    """2026-11-29 17:05 UTC+08:00: the server's clock, for people."""
    local = datetime.fromtimestamp(ms / 1000).astimezone()
    return f"{local:%Y-%m-%d %H:%M} UTC{local.isoformat()[-6:]}"


def _segment(row: SegmentRow, split: bool, locale: str) -> TranscriptSegment:
    speaker = _speaker(row, split, locale)
    return TranscriptSegment(row.start, row.end, row.shown_text, speaker, row.words)


def _speaker(row: SegmentRow, split: bool, locale: str) -> str | None:
    """A name that was given; else the channel or the number, in words."""
    if row.speaker and not row.speaker.isdecimal():
        return row.speaker
    if split:
        return _CHANNEL[locale].format(row.channel + 1)
    return _SPEAKER[locale].format(row.speaker) if row.speaker else None
