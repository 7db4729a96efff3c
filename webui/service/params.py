"""What a caller may ask for: one pydantic class per kind of job, the same for pages, API and command line."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

JobKind = Literal["transcribe", "speak", "convert"]
JobState = Literal["queued", "running", "cancelling", "done", "partial", "failed", "cancelled", "expired"]
AudioFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]


def _encodable(text: str) -> str:
    """Raises ValueError for half a surrogate pair, which JSON can write and neither SQLite nor UTF-8 can keep.

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


def _none_is_empty(value: Any) -> Any:
    return "" if value is None else value


Text = Annotated[str, AfterValidator(_encodable)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(default="auto", max_length=200)
    device: str = Field(default="auto", max_length=32)


class TranscribeParams(_Params):
    language: str = Field(default="auto", max_length=16)
    hotwords: tuple[Text, ...] = ()
    itn: bool = True
    diarize: bool = False
    channels: Literal["mix", "split"] = "mix"


class SpeakParams(_Params):
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


class ConvertParams(_Params):
    voice: str = Field(max_length=200)
    seed: int = Field(default=0, ge=0, lt=2**31)
    steps: int = Field(default=10, ge=1, le=50)
    similarity: float = Field(default=0.55, ge=0, le=1)
    format: AudioFormat = "wav"


class Consent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    basis: Literal["self", "written", "recorded"]
    subject: str = Field(min_length=1, max_length=200)
    evidence: Annotated[str, BeforeValidator(_none_is_empty)] = Field(default="", max_length=2000)
    expires_at: Moment | None = None
