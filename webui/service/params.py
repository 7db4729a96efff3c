"""What a caller may ask for: one pydantic class per kind of job, the same for pages, API and command line."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

JobKind = Literal["transcribe", "speak", "convert"]
JobState = Literal["queued", "running", "cancelling", "done", "partial", "failed", "cancelled", "expired"]
AudioFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]


class _Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "auto"
    device: str = "auto"


class TranscribeParams(_Params):
    language: str = Field(default="auto", max_length=16)
    hotwords: tuple[str, ...] = ()
    itn: bool = True
    diarize: bool = False
    channels: Literal["mix", "split"] = "mix"


class SpeakParams(_Params):
    text: str = ""
    voice: str = Field(default="builtin", max_length=200)
    language: str = Field(default="auto", max_length=16)
    transcript: str = Field(default="", max_length=2000)  # of the prompt, where one is sent with the job
    instruct: str = ""
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
    evidence: str = Field(default="", max_length=2000)
    expires_at: datetime | None = None
