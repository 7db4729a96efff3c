"""What a caller may ask for: one pydantic class per kind of job, the same for pages, API and command line.

A job's row keeps them as JSON; `stored` reads it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from webui.audio.formats import AudioFormat, Channels
from webui.errors import UserError, reason_of

RESOLVED = frozenset(("model", "device"))  # at the submission: columns of the row, whatever was asked for


def _encodable(text: str) -> str:
    """Raises ValueError for a lone surrogate, which JSON can write and neither SQLite nor UTF-8 can keep.

    Where a length is given, pydantic finds it by itself.
    """
    text.encode()
    return text


def _in_utc(at: datetime) -> datetime:
    """Without a zone it is UTC. Raises ValueError where UTC's calendar ends before."""
    try:
        return at.astimezone(timezone.utc) if at.tzinfo else at.replace(tzinfo=timezone.utc)
    except OverflowError:
        raise ValueError("outside the calendar") from None


def _with_zone(value: Any) -> Any:
    """The "+" of a zone is a space in a URL that nobody escaped."""
    return re.sub(r"(T\S+) (\d\d:?\d\d)$", r"\1+\2", value) if isinstance(value, str) else value


def _after_the_day(value: Any) -> Any:
    """A bare date as the end of a period means that day too; the calendar's last has no day after it."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value) or value == str(date.max):
        return value
    return datetime.combine(date.fromisoformat(value) + timedelta(days=1), time())


Text = Annotated[str, AfterValidator(_encodable)]
Moment = Annotated[datetime, BeforeValidator(_with_zone), AfterValidator(_in_utc)]
End = Annotated[Moment, BeforeValidator(_after_the_day)]


class Asked(BaseModel):
    """What a client sends: null is as if left out."""

    left_out: ClassVar[tuple[Any, ...]] = (None,)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            return sent
        return {key: value for key, value in sent.items() if value not in cls.left_out}


class JobParams(Asked):
    left_out = (None, "")
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(default="auto", max_length=200)
    device: str = Field(default="auto", max_length=32)


class TranscribeParams(JobParams):
    language: str = Field(default="auto", max_length=16)
    hotwords: tuple[Text, ...] = ()
    itn: bool = True
    diarize: bool = False
    channels: Channels = "mix"


class SpeakParams(JobParams):
    text: Text = ""
    voice: str = Field(default="builtin", max_length=200)
    language: str = Field(default="auto", max_length=16)
    transcript: str = Field(default="", max_length=2000)  # of the prompt, where one is sent with the job
    instruct: Text = ""
    seed: int = Field(default=0, ge=0, lt=2**31)
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    steps: int = Field(default=10, ge=1, le=50)
    similarity: float = Field(default=0.55, ge=0, le=1)
    format: AudioFormat = "wav"
    stream: bool = False  # made in pieces that can be heard before the sentence ends, where the model can


class StoredSpeakParams(SpeakParams):
    """As the job keeps them: with the organisation's words in the text, as they were read on that day."""

    lexicon: Mapping[str, str] = {}


class ConvertParams(JobParams):
    voice: str = Field(max_length=200)
    seed: int = Field(default=0, ge=0, lt=2**31)
    steps: int = Field(default=10, ge=1, le=50)
    similarity: float = Field(default=0.55, ge=0, le=1)
    format: AudioFormat = "wav"


class Consent(Asked):
    model_config = ConfigDict(extra="forbid", frozen=True)

    basis: Literal["self", "written", "recorded"]
    subject: str = Field(min_length=1, max_length=200)
    evidence: str = Field(default="", max_length=2000)
    expires_at: Moment | None = None


P = TypeVar("P", bound=JobParams)


def stored(params: type[P], kept: Mapping[str, Any]) -> P:
    """What a job's row keeps, perhaps of another version: what is no longer known is passed over.

    `model` and `device` are those of the row. Raises UserError JOB_PARAMS for a value that cannot be used.
    """
    known = params.model_fields.keys() - RESOLVED
    try:
        return params.model_validate({key: value for key, value in kept.items() if key in known})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError("JOB_PARAMS", field=field, reason=reason_of(first)) from None
