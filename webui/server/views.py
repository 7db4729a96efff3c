"""What a caller sees: the shapes of the public contract. Times ISO 8601 UTC, durations in seconds as floats."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Message(BaseModel):
    """An error or a warning, in the words of the reader's locale."""

    code: str
    message: str
    hint: str = ""


class Error(Message):
    """`param`: the field that it is about."""

    type: str
    param: str | None = None


class ErrorAnswer(BaseModel):
    error: Error


class Job(BaseModel):
    id: str
    batch: str | None
    kind: str
    state: str
    progress: float
    queue_position: int | None
    eta_s: float | None
    params: dict[str, Any]
    file_name: str
    duration_s: float | None
    work_s: float  # spent by device workers
    model: str
    model_revision: str
    devices: dict[str, str]
    language: str | None
    text: str
    text_raw: str
    warnings: list[Message]
    error: Message | None
    voice: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class Hit(BaseModel):
    """A hotword in a text; `start`, `end` in characters. `heard`: what the model wrote, where it was corrected."""

    word: str
    start: int
    end: int
    heard: str | None


class Segment(BaseModel):
    n: int
    start: float
    end: float
    channel: int
    state: str
    text: str
    text_raw: str
    source: str
    words: list[dict[str, Any]]
    hits: list[Hit]
    language: str | None
    speaker: str | None
    confidence: float | None
    device: str | None
    error: Message | None
    edited: bool
    version: int
    change: int


class Voice(BaseModel):
    id: str
    name: str
    transcript: str
    seconds: float
    findings: list[Message]
    consent: dict[str, Any]
    usable: bool
    shared: bool
    mine: bool
    created_at: str


class HotwordList(BaseModel):
    name: str
    words: list[str]
    warnings: list[Message] = []


class RefusedFile(BaseModel):
    name: str
    error: Message


class Submitted(BaseModel):
    """`refused`: what came along and is no recording."""

    batch: str | None
    jobs: list[Job]
    refused: list[RefusedFile] = []


class JobPage(BaseModel):
    jobs: list[Job]
    next: str | None


class JobChanges(BaseModel):
    """`since` is the number to ask with next time."""

    since: int
    jobs: list[Job]
    deleted: list[str]
