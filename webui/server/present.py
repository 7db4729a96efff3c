"""What the services return, as a reader sees it: ISO times, seconds, every notice in the words of their locale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from webui.errors import Notice
from webui.server.views import (
    Hit,
    HotwordList,
    Job,
    JobChanges,
    JobPage,
    Message,
    RefusedFile,
    Segment,
    Submitted,
    Voice,
)
from webui.service.hotwords import KeptHotwords
from webui.service.jobs import ChangedJobs, JobSegments, JobsOfPage, QueuedJob, SubmittedJobs
from webui.service.voices import KnownVoice
from webui.store.rows import ConsentRow, JobRow, QueuePlace, SegmentRow
from webui.text import hotwords

_NOWHERE = QueuePlace(None, None)
_LANGUAGES = {
    "zh": {"zh": "中文", "yue": "粤语", "en": "英语", "ja": "日语", "ko": "韩语"},
    "en": {"zh": "Chinese", "yue": "Cantonese", "en": "English", "ja": "Japanese", "ko": "Korean"},
}


def iso(ms: int | None) -> str | None:
    """Unix milliseconds as ISO 8601 in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message(notice: Notice, locale: str) -> Message:
    """An error or a warning in words."""
    params = dict(notice.params)
    if "language" in params:  # a name where there is one: readers are no programmers
        params["language"] = _LANGUAGES.get(locale, {}).get(params["language"], params["language"])
    wording = Notice(notice.code, params).worded(locale)
    return Message(code=notice.code, message=wording.message, hint=wording.hint)


def messages(notices: Iterable[Notice], locale: str) -> list[Message]:
    return [message(notice, locale) for notice in notices]


def queued_job_view(job: QueuedJob, locale: str) -> Job:
    return job_view(job.row, job.place, locale)


def job_view(row: JobRow, place: QueuePlace | None, locale: str) -> Job:
    place = place or _NOWHERE
    return Job(
        id=row.uid,
        batch=row.batch,
        kind=row.kind,
        state=row.state,
        progress=round(row.progress, 4),
        queue_position=place.position,
        eta_s=place.eta_s,
        params=dict(row.params),
        file_name=row.file_name,
        duration_s=_seconds(row.duration_ms),
        work_s=row.work_ms / 1000,
        model=row.model,
        model_revision=row.model_revision,
        devices=dict(row.devices),
        language=row.language,
        text=row.text,
        text_raw=row.text_raw,
        warnings=messages(row.warnings, locale),
        error=message(row.error, locale) if row.error else None,
        voice=row.params.get("voice"),
        created_at=iso(row.created_at) or "",
        started_at=iso(row.started_at),
        finished_at=iso(row.finished_at),
    )


def submitted_view(submitted: SubmittedJobs, locale: str) -> Submitted:
    jobs = [queued_job_view(job, locale) for job in submitted.jobs]
    refused = [RefusedFile(name=file.name, error=message(file.error, locale)) for file in submitted.refused]
    return Submitted(batch=submitted.batch, jobs=jobs, refused=refused)


def page_view(page: JobsOfPage, locale: str) -> JobPage:
    return JobPage(jobs=[queued_job_view(job, locale) for job in page.jobs], next=page.next)


def changes_view(changed: ChangedJobs, locale: str) -> JobChanges:
    jobs = [queued_job_view(job, locale) for job in changed.jobs]
    return JobChanges(since=changed.since, jobs=jobs, deleted=list(changed.deleted))


def segment_views(found: JobSegments, locale: str, *, words: bool = True) -> list[Segment]:
    """Without `words` these are left empty."""
    return [segment_view(row, found.job, locale, words=words) for row in found.segments]


def segment_view(row: SegmentRow, job: JobRow, locale: str, *, words: bool = True) -> Segment:
    return Segment(
        n=row.idx,
        start=row.start,
        end=row.end,
        channel=row.channel,
        state=row.state,
        text=row.shown_text,
        text_raw=row.text_raw,
        source=row.source,
        words=[word._asdict() for word in row.words] if words else [],
        hits=[Hit(word=hit.word, start=hit.start, end=hit.end, heard=hit.heard) for hit in _hits(row, job)],
        language=row.language,
        speaker=row.speaker,
        confidence=row.confidence,
        device=row.device,
        error=message(Notice(row.error_code, _context(row, job)), locale) if row.error_code else None,
        edited=row.edited_text is not None,
        version=row.version,
        change=row.change,
    )


def _hits(row: SegmentRow, job: JobRow) -> Sequence[hotwords.Hit]:
    """The job's hotwords in the text as it is shown, after an edit too, and what the model wrote in their place."""
    hits = hotwords.find(row.shown_text, job.params.get("hotwords", ()))
    return hotwords.with_heard(hits, row.shown_text, row.text_raw)


def voice_view(voice: KnownVoice, owner_id: int, locale: str) -> Voice:
    row = voice.row
    return Voice(
        id=row.uid,
        name=row.name,
        transcript=row.transcript,
        seconds=row.seconds,
        findings=messages(row.findings, locale),
        consent=_consent(voice.consents[0]) if voice.consents else {},
        usable=voice.usable,
        shared=bool(row.shared),
        mine=row.owner_id == owner_id,
        created_at=iso(row.created_at) or "",
    )


def hotword_list_view(kept: KeptHotwords, locale: str) -> HotwordList:
    return HotwordList(name=kept.name, words=list(kept.words), warnings=messages(kept.left_out, locale))


def _consent(row: ConsentRow) -> dict[str, Any]:
    return {
        "basis": row.basis,
        "subject": row.subject,
        "evidence": row.evidence,
        "obtained_at": iso(row.obtained_at),
        "expires_at": iso(row.expires_at),
        "revoked_at": iso(row.revoked_at),
    }


def _context(row: SegmentRow, job: JobRow) -> Mapping[str, Any]:
    language = row.language or job.language or job.params.get("language", "")
    return {"file": job.file_name, "device": row.device or "", "language": language, "model": job.model}


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
