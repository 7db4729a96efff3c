"""`/v1`: OpenAI's shapes for transcription and speech, over the same jobs as everything else.

Every answer names its job in `X-Job-Id`; a client that goes away cancels nothing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, field_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from webui.audio.formats import AudioFormat
from webui.engines.base import SynthesizerModel
from webui.errors import UserError
from webui.jobs.params import Asked, SpeakParams, TranscribeParams
from webui.server.dependencies import FILE, TEXT, Author, Incoming, Locale, Service, form_body
from webui.server.multipart import Form, one_recording, read_form
from webui.server.present import job_view, segment_views
from webui.server.present_machine import capabilities_view
from webui.server.results import write_result
from webui.server.views import Job, Segment
from webui.service.services import Services
from webui.service.uploads import check_space, incoming_folder
from webui.service.validation import checked, invalid
from webui.store.rows import JobRow
from webui.store.states import DONE

router = APIRouter(prefix="/v1", tags=["openai"])

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("segment", "word")
OPENAI_NAMES = {"text": "input", "instruct": "instructions"}  # a parameter of ours → the field that they call so
_BETWEEN_WORDS = re.compile(r"[\s。！？：!?:]+|\.(?=\s|$)")  # of a prompt, which may be prose; commas part hotwords too

TRANSCRIPTION = form_body(
    ("file",),
    file=FILE,
    model=TEXT,
    language=TEXT,
    prompt={**TEXT, "description": "its words serve as hotwords where no `hotwords` are given"},
    response_format={"type": "string", "enum": list(FORMATS), "default": "json"},
    **{"timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(GRANULARITIES)}}},
    hotwords={**TEXT, "description": "one per line"},
    itn={"type": "boolean", "default": True},
    diarize={"type": "boolean", "default": False},
    channels={"type": "string", "enum": ["mix", "split"], "default": "mix"},
)


class SpeechRequest(Asked):
    """OpenAI's fields and three of ours; what else a client sends is passed over."""

    model_config = ConfigDict(extra="ignore")

    model: str = "auto"
    input: str
    voice: str = "builtin"
    instructions: str = ""
    response_format: AudioFormat = "mp3"
    speed: float = 1.0
    stream_format: Literal["audio"] = "audio"
    seed: int = 0
    steps: int = 10
    stream: bool = False
    language: str = Field(default="auto", max_length=16)

    @field_validator("voice", mode="before")
    @classmethod
    def _voice(cls, value: Any) -> Any:
        """OpenAI also writes a voice as {"id": …}."""
        return value.get("id", value) if isinstance(value, dict) else value

    def params(self) -> SpeakParams:
        """Raises INVALID_FIELD. A stream's stored file is a WAV, whatever is streamed."""
        given = {
            "model": self.model,
            "text": self.input,
            "voice": self.voice,
            "instruct": self.instructions,
            "format": "wav" if self.stream else self.response_format,
            "speed": self.speed,
            "seed": self.seed,
            "steps": self.steps,
            "language": self.language,
            "stream": self.stream,
        }
        return checked(SpeakParams, given)


@router.get("/models")
async def models(services: Service, locale: Locale) -> dict[str, Any]:
    """OpenAI's list; `capabilities` by what a model is: recognizer, synthesizer, or (`basic`) both."""
    return {"object": "list", "data": list((await run_in_threadpool(_models, services, locale)).values())}


@router.get("/models/{name}")
async def model(name: str, services: Service, locale: Locale) -> dict[str, Any]:
    """One of the list."""
    known = await run_in_threadpool(_models, services, locale)
    if name not in known:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(known))
    return known[name]


def _models(services: Services, locale: str) -> dict[str, dict[str, Any]]:
    """By name, those that can be used."""
    listed: dict[str, dict[str, Any]] = {}
    for model in services.models.available():
        if model.problem is None:
            entry = {"id": model.name, "object": "model", "created": 0, "owned_by": model.engine, "capabilities": {}}
            capabilities = listed.setdefault(model.name, entry)["capabilities"]
            capabilities[model.kind] = capabilities_view(model, locale).model_dump()
    return listed


@router.post("/audio/transcriptions", openapi_extra=TRANSCRIPTION)
async def transcribe(
    request: Request, services: Service, author: Author, incoming: Incoming, locale: Locale
) -> Response:
    """The text of a recording, in one of OpenAI's five formats."""
    await run_in_threadpool(check_space, services.settings)
    async with read_form(request, incoming_folder(services.settings)) as form:
        answer_format = form.value("response_format") or "json"
        if answer_format not in FORMATS:
            raise invalid("response_format", "FIELD_CHOICE", expected=", ".join(FORMATS))
        granularities = _granularities(form)
        recording, params = one_recording(form), _params(form)
        owner = await run_in_threadpool(author)
        submitted = await incoming.run(request, lambda _: services.jobs.submit_transcribe(owner, recording, params))
    uid = submitted.jobs[0].row.uid
    request.state.job = uid
    await services.jobs.ended(owner, uid)
    job = job_view(await run_in_threadpool(services.jobs.successful, owner, uid), None, locale)
    if answer_format in ("srt", "vtt"):
        ended = await run_in_threadpool(services.jobs.ended_segments, owner, uid)
        result = await run_in_threadpool(write_result, ended, answer_format, locale)
        return Response(result.content, media_type=result.mime)
    if answer_format == "text":
        return PlainTextResponse(job.text + "\n")
    if answer_format == "json":
        return JSONResponse({"text": job.text, **_warnings(job)})
    found = await run_in_threadpool(services.jobs.segments, owner, uid)
    segments = await run_in_threadpool(segment_views, found, locale)
    return JSONResponse(verbose(job, segments, granularities))


@router.post("/audio/speech", response_class=Response)
async def speak(request: Request, asked: SpeechRequest, services: Service, author: Author) -> Response:
    """Speech in the format asked for, labelled as generated."""
    try:
        params = asked.params()
        owner = await run_in_threadpool(author)
        submitted = await run_in_threadpool(services.jobs.submit_speak, owner, params)
    except UserError as error:
        error.param = OPENAI_NAMES.get(error.param or "", error.param)
        raise
    uid = submitted.jobs[0].row.uid
    request.state.job = uid
    if asked.stream:
        return await _streamed(services, owner, submitted.jobs[0].row, asked.response_format)
    await services.jobs.ended(owner, uid)
    await run_in_threadpool(services.jobs.successful, owner, uid)
    media = await run_in_threadpool(services.jobs.audio, owner, uid)
    return FileResponse(media.path, media_type=media.mime, filename=media.name)


async def _streamed(services: Services, owner: int, job: JobRow, file_format: AudioFormat) -> StreamingResponse:
    """The answer begins with the first sound, so that what fails before it is still an error."""
    rate = (await run_in_threadpool(services.models.resolve, job.model, SynthesizerModel)).capabilities.sample_rate
    stream = services.streams.stream(owner, job.uid, file_format, rate)
    first = await anext(stream)

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in stream:
            yield piece

    return StreamingResponse(pieces(), media_type=services.streams.mime(file_format))


def verbose(job: Job, segments: list[Segment], granularities: set[str]) -> dict[str, Any]:
    """OpenAI's `verbose_json`: what it has no measure for here is null-like, never invented."""
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": job.language or job.params["language"],
        "duration": job.duration_s or 0.0,
        "text": job.text,
        **_warnings(job),
    }
    if "segment" in granularities:
        answer["segments"] = [_segment(segment) for segment in segments if segment.state == DONE]
    if "word" in granularities:
        answer["words"] = [
            {"word": word["text"], "start": word["start"], "end": word["end"]}
            for segment in segments
            for word in segment.words
        ]
    return answer


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.n,
        "seek": round(segment.start * 100),
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 0.0,
        "no_speech_prob": 0.0,
        "speaker": segment.speaker,
        "channel": segment.channel,
    }


def _warnings(job: Job) -> dict[str, Any]:
    return {"warnings": [warning.model_dump() for warning in job.warnings]} if job.warnings else {}


def _params(form: Form) -> TranscribeParams:
    hotwords = form.fields.get("hotwords", []) or form.fields.get("hotwords[]", [])
    words = [word for text in hotwords for word in text.splitlines()] or _BETWEEN_WORDS.split(form.value("prompt"))
    given = {name: form.value(name) for name in ("model", "language", "itn", "diarize", "channels")}
    return checked(TranscribeParams, {**given, "hotwords": [word for word in words if word.strip()]})


def _granularities(form: Form) -> set[str]:
    """OpenAI's default is segments."""
    asked = form.fields.get("timestamp_granularities[]", []) + form.fields.get("timestamp_granularities", [])
    if unknown := set(asked) - set(GRANULARITIES):
        raise invalid("timestamp_granularities", "FIELD_CHOICE", expected=", ".join(GRANULARITIES), given=str(unknown))
    return set(asked) or {"segment"}
