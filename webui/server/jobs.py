"""`/api/v1/jobs` and `/changes`: submitting, following, editing, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi import Path as PathPart
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from webui.jobs.params import ConvertParams, End, Moment, P, SpeakParams, Text, TranscribeParams
from webui.server.dependencies import FILES, TEXT, Author, Caller, CallerByNow, Incoming, Locale, Service, form_body
from webui.server.downloads import attachment, media_response
from webui.server.multipart import Form, read_form
from webui.server.present import changes_view, page_view, queued_job_view, segment_views, submitted_view
from webui.server.results import write_result
from webui.server.views import Job, JobChanges, JobPage, Segment, Submitted
from webui.service.archives import is_archive
from webui.service.jobs import JobFilter, JobService, SubmittedJobs
from webui.service.services import Services
from webui.service.submission import SubmissionKey
from webui.service.uploads import check_space, incoming_folder
from webui.service.validation import invalid, read_consent, read_params
from webui.store.states import CONVERT, JOB_KINDS, SPEAK, TRANSCRIBE, JobKind, JobState

router = APIRouter(prefix="/api/v1", tags=["jobs"])

BIG = 2**62  # above every number of the change sequence that will ever be
LONGEST_WAIT_S = 60.0

Number = Annotated[int, PathPart(ge=0, lt=2**31)]
Version = Annotated[int, Field(ge=0, lt=2**31)]


class SegmentEdit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Version | None = None
    text: str | None = Field(default=None, max_length=20_000)
    speaker: str | None = Field(default=None, max_length=64)


class SpeakerName(BaseModel):
    model_config = ConfigDict(extra="forbid")

    speaker: Text = Field(min_length=1, max_length=64)
    name: Text = Field(min_length=1, max_length=64)


def listing_filter(
    owner: Caller,
    q: str = "",
    kind: JobKind | None = None,
    state: JobState | None = None,
    batch: Annotated[str | None, Query(max_length=32)] = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[End | None, Query(alias="to")] = None,
) -> JobFilter:
    """The filters that listing and exports share, UTC unless they say: `from` is inclusive, `to` exclusive; a bare
    date as `to` includes that day."""
    return JobFilter(owner, q, kind, state, batch, _ms(since), _ms(until))


Filter = Annotated[JobFilter, Depends(listing_filter)]

SUBMISSION = form_body(
    ("kind",),
    kind={"type": "string", "enum": list(JOB_KINDS)},
    file=FILES,
    params={**TEXT, "description": "JSON: TranscribeParams, SpeakParams or ConvertParams"},
    consent={**TEXT, "description": "JSON: Consent; with kind=speak and a file"},
    batch={**TEXT, "pattern": "^[0-9a-f]{32}$"},
)


@router.post("/jobs", status_code=202, openapi_extra=SUBMISSION)
async def submit(
    request: Request,
    services: Service,
    author: Author,
    incoming: Incoming,
    locale: Locale,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> Submitted:
    """Queue one job per file (a ZIP is its files), or one for a text to speak."""
    await run_in_threadpool(check_space, services.settings, _length(request))
    async with read_form(request, incoming_folder(services.settings)) as form:
        key = SubmissionKey(form.value("batch") or None, idempotency_key)
        uploads = form.uploads()
        many = len(uploads) > 1 or any(is_archive(upload.path) for upload in uploads)

        def work(wanted: Callable[[], bool]) -> SubmittedJobs:
            return _submit(services, author, form, replace(key, wanted=wanted))

        return submitted_view(await incoming.run(request, work, many=many), locale)


def _submit(services: Services, author: Callable[[], int], form: Form, key: SubmissionKey) -> SubmittedJobs:
    kind = form.value("kind")
    if kind not in _SUBMIT:
        raise invalid("kind", "FIELD_CHOICE" if kind else "FIELD_MISSING", expected=", ".join(JOB_KINDS))
    return _SUBMIT[kind](services.jobs, author, form, key)


def _transcribe(jobs: JobService, author: Callable[[], int], form: Form, key: SubmissionKey) -> SubmittedJobs:
    asked = _params(TranscribeParams, form)
    return jobs.submit_transcribe(author(), form.uploads(), asked, key)


def _convert(jobs: JobService, author: Callable[[], int], form: Form, key: SubmissionKey) -> SubmittedJobs:
    asked = _params(ConvertParams, form)
    return jobs.submit_convert(author(), form.uploads(), asked, key)


def _speak(jobs: JobService, author: Callable[[], int], form: Form, key: SubmissionKey) -> SubmittedJobs:
    prompt = next(iter(form.uploads()), None)
    consent = read_consent(form.value("consent"))
    asked = _params(SpeakParams, form)
    return jobs.submit_speak(author(), asked, prompt, consent, key)


def _params(model: type[P], form: Form) -> P:
    return read_params(model, form.value("params"), "params")


_SUBMIT: Mapping[str, Callable[[JobService, Callable[[], int], Form, SubmissionKey], SubmittedJobs]] = {
    TRANSCRIBE: _transcribe,
    SPEAK: _speak,
    CONVERT: _convert,
}


@router.get("/jobs")
async def listing(
    services: Service,
    wanted: Filter,
    locale: Locale,
    before: Annotated[str | None, Query(max_length=32)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """The newest jobs; `next` is the `before` of the following page."""
    page = await run_in_threadpool(services.jobs.page, wanted, before=before, limit=limit)
    return await run_in_threadpool(page_view, page, locale)


@router.get("/jobs/{uid}")
async def one(uid: str, services: Service, owner: Caller, locale: Locale) -> Job:
    return queued_job_view(await run_in_threadpool(services.jobs.get, owner, uid), locale)


@router.delete("/jobs/{uid}", status_code=204)
async def delete(uid: str, services: Service, owner: Caller) -> Response:
    """Remove the job with its recording and results, whatever its state."""
    await run_in_threadpool(services.jobs.delete, owner, uid)
    return Response(status_code=204)


@router.post("/jobs/{uid}/cancel")
async def cancel(uid: str, services: Service, owner: Caller, locale: Locale) -> Job:
    return queued_job_view(await run_in_threadpool(services.jobs.cancel, owner, uid), locale)


@router.post("/jobs/{uid}/retry")
async def retry(uid: str, services: Service, owner: Caller, locale: Locale) -> Job:
    """Queue a partial, failed or cancelled job again; what is done is kept."""
    return queued_job_view(await run_in_threadpool(services.jobs.retry, owner, uid), locale)


@router.get("/jobs/{uid}/segments")
async def segments(
    uid: str,
    services: Service,
    owner: Caller,
    locale: Locale,
    after: Annotated[int | None, Query(ge=0, lt=BIG)] = None,
    words: bool = True,
) -> dict[str, list[Segment]]:
    """The segments; with `after`, those whose `change` is greater; without `words` these are left empty."""
    found = await run_in_threadpool(services.jobs.segments, owner, uid, after=after)
    return {"segments": await run_in_threadpool(segment_views, found, locale, words=words)}


@router.patch("/jobs/{uid}/segments/{number}")
async def edit_segment(
    uid: str, number: Number, edit: SegmentEdit, services: Service, owner: Caller, locale: Locale
) -> Segment:
    """Correct a segment's text or speaker; with `version` as read, 409 where somebody was quicker."""
    edited = await run_in_threadpool(
        services.jobs.edit_segment,
        owner,
        uid,
        number,
        version=edit.version,
        text=edit.text,
        speaker=edit.speaker,
    )
    return segment_views(edited, locale)[0]


@router.patch("/jobs/{uid}/speakers")
async def name_speaker(uid: str, given: SpeakerName, services: Service, owner: Caller) -> dict[str, int]:
    """Call a speaker by a name in every segment of the job."""
    changed = await run_in_threadpool(services.jobs.rename_speaker, owner, uid, given.speaker, given.name)
    return {"changed": changed}


@router.get("/jobs/{uid}/result.{file_format}", response_class=Response)
async def result(uid: str, file_format: str, services: Service, owner: Caller, locale: Locale) -> Response:
    """The transcript as a file, in one of `text.formats`."""
    ended = await run_in_threadpool(services.jobs.ended_segments, owner, uid)
    written = await run_in_threadpool(write_result, ended, file_format, locale)
    return Response(written.content, media_type=written.mime, headers=attachment(written.name))


@router.get("/jobs/{uid}/audio", response_class=FileResponse)
async def audio(uid: str, services: Service, owner: Caller, download: bool = False) -> FileResponse:
    """The generated speech, or the recording in a format every browser plays."""
    return media_response(await run_in_threadpool(services.jobs.audio, owner, uid), download)


@router.get("/changes")
async def changes(
    services: Service,
    caller: CallerByNow,
    locale: Locale,
    since: Annotated[int | None, Query(ge=0, lt=BIG)] = None,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 25.0,
) -> JobChanges:
    """The jobs that changed after number `since`, as soon as there are any or after `wait` seconds.

    Without `since` only the number to start with.
    """
    if since is None:
        return changes_view(await run_in_threadpool(services.jobs.changes, caller(), None), locale)
    changed = await services.jobs.changes_after(caller, since, wait)
    return await run_in_threadpool(changes_view, changed, locale)


def _length(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)
