"""`/api/v1/voices`: voices and the consents that they rest on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from webui.jobs.params import Consent, TranscribeParams
from webui.server.dependencies import FILE, TEXT, Author, Caller, Incoming, Locale, Service, form_body
from webui.server.downloads import media_response
from webui.server.multipart import Form, one_recording, read_form
from webui.server.present import voice_view
from webui.server.views import Voice
from webui.service.jobs import Media
from webui.service.services import Services
from webui.service.uploads import incoming_folder
from webui.service.validation import read_consent
from webui.service.voices import KnownVoice, VoiceChange

router = APIRouter(prefix="/api/v1/voices", tags=["voices"])

ENROLMENT = form_body(
    ("name", "file", "consent"),
    name=TEXT,
    file=FILE,
    transcript=TEXT,
    consent={**TEXT, "description": 'JSON: {"basis": "self|written|recorded", "subject": "…"}'},
    shared={"type": "boolean"},
)
TRANSCRIPT = form_body(("file",), file=FILE, language=TEXT)


class Change(BaseModel):
    """Only what is given changes; a new `consent` renews one that has expired."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    transcript: str | None = None
    shared: bool | None = None
    consent: Consent | None = None


@router.get("")
async def listing(services: Service, owner: Caller, locale: Locale) -> dict[str, list[Voice]]:
    """One's own voices and the shared ones."""
    found = await run_in_threadpool(services.voices.listing, owner)
    return {"voices": [voice_view(voice, owner, locale) for voice in found]}


@router.post("", status_code=201, openapi_extra=ENROLMENT)
async def create(request: Request, services: Service, author: Author, incoming: Incoming, locale: Locale) -> Voice:
    """Keep a voice; without a consent 422 CONSENT_REQUIRED."""
    async with read_form(request, incoming_folder(services.settings)) as form:
        owner = await run_in_threadpool(author)
        return voice_view(await incoming.run(request, lambda _: _create(services, owner, form)), owner, locale)


def _create(services: Services, owner: int, form: Form) -> KnownVoice:
    return services.voices.create(
        owner,
        next(iter(form.uploads()), None),
        form.value("name"),
        form.value("transcript"),
        read_consent(form.value("consent")),
        shared=form.value("shared").lower() in ("1", "true", "on"),
    )


@router.post("/transcript", openapi_extra=TRANSCRIPT)
async def transcript(request: Request, services: Service, author: Author, incoming: Incoming) -> dict[str, str]:
    """What a prompt says, by the default recognizer: a draft to correct, of which no job stays behind.

    MODEL_NEEDED where only the basic engine is there.
    """
    async with read_form(request, incoming_folder(services.settings)) as form:
        spoken = form.value("language") or "auto"
        await run_in_threadpool(services.models.dependable_recognizer, spoken)
        params = TranscribeParams(language=spoken, itn=False)
        recording = one_recording(form)
        owner = await run_in_threadpool(author)
        submitted = await incoming.run(request, lambda _: services.jobs.submit_transcribe(owner, recording, params))
    uid = submitted.jobs[0].row.uid
    try:
        await services.jobs.ended(owner, uid)
        job = await run_in_threadpool(services.jobs.successful, owner, uid)
    finally:
        await run_in_threadpool(services.jobs.delete, owner, uid)
    return {"transcript": job.text, "model": job.model}


@router.get("/{uid}")
async def one(uid: str, services: Service, owner: Caller, locale: Locale) -> Voice:
    return voice_view(await run_in_threadpool(services.voices.get, owner, uid), owner, locale)


@router.patch("/{uid}")
async def change(uid: str, given: Change, services: Service, owner: Caller, locale: Locale) -> Voice:
    if given.consent is not None:
        await run_in_threadpool(services.voices.renew_consent, owner, uid, given.consent)
    wanted = VoiceChange(given.name, given.transcript, given.shared)
    return voice_view(await run_in_threadpool(services.voices.change, owner, uid, wanted), owner, locale)


@router.delete("/{uid}", status_code=204)
async def delete(uid: str, services: Service, owner: Caller) -> Response:
    await run_in_threadpool(services.voices.delete, owner, uid)
    return Response(status_code=204)


@router.post("/{uid}/revoke")
async def revoke(uid: str, services: Service, owner: Caller, locale: Locale) -> Voice:
    """Withdraw the consent: the recording is removed and the voice can no longer be used."""
    return voice_view(await run_in_threadpool(services.voices.revoke, owner, uid), owner, locale)


@router.get("/{uid}/audio", response_class=FileResponse)
async def audio(uid: str, services: Service, owner: Caller, download: Annotated[bool, Query()] = False) -> FileResponse:
    """The prompt, for whoever may use the voice."""
    path = await run_in_threadpool(services.voices.prompt_file, owner, uid)
    return media_response(Media(path, "audio/wav", "prompt.wav"), download)
