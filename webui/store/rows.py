"""What the store gives and takes: frozen row classes. Moments (`…_at`) are unix milliseconds UTC."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from sqlalchemy import Column, Table

from webui.audio.units import Seconds
from webui.errors import Notice
from webui.store.states import DONE, EXPIRED, FINAL_STATES, RESULT_STATES, JobKind, JobState, SegmentState
from webui.text.transcript import TimedWord

PREPARE_SHARE = 0.1  # of a job's progress bar


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class OwnerRow:
    """Whose a job is: a browser (its cookie's hash), or one of the shared names `api` and `local`."""

    id: int
    name: str | None
    vtime: float
    weight: float
    created_at: int
    last_seen: int


@dataclass(frozen=True)
class JobRow:
    id: int
    uid: str
    owner_id: int
    batch: str | None
    kind: JobKind
    state: JobState
    stage: str
    priority: int
    params: Mapping[str, Any]
    model: str
    model_revision: str
    device: str
    devices: Mapping[str, str]
    file_name: str
    input_sha256: str | None
    input_bytes: int | None
    duration_ms: int | None
    voice_id: int | None
    language: str | None
    text: str
    text_raw: str
    warnings: Sequence[Notice]
    error: Notice | None
    seg_total: int | None
    seg_done: int
    seg_failed: int
    work_ms: int
    prepare_progress: float
    version: int
    created_at: int
    started_at: int | None
    finished_at: int | None

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def progress(self) -> float:
        """0 … 1: preparing counts a tenth, the segments the rest."""
        if self.state in (*RESULT_STATES, EXPIRED):
            return 1.0
        if self.seg_total is None:
            return PREPARE_SHARE * self.prepare_progress
        over = (self.seg_done + self.seg_failed) / self.seg_total if self.seg_total else 1.0
        return PREPARE_SHARE + (1 - PREPARE_SHARE) * over


@dataclass(frozen=True)
class SegmentRow:
    """`start`, `end` and the times of the words: seconds from the start of the recording; `took`: seconds of work.

    `change` grows with every committed change of any job: what `segments?after=` compares.
    """

    idx: int
    channel: int
    start: Seconds
    end: Seconds
    state: SegmentState
    source: str
    text_raw: str
    text: str
    words: Sequence[TimedWord]
    language: str | None
    speaker: str | None
    confidence: float | None
    attempt: int
    device: str | None
    took: Seconds | None
    error_code: str | None
    edited_text: str | None
    version: int
    change: int

    @property
    def shown_text(self) -> str:
        return self.text if self.edited_text is None else self.edited_text


@dataclass(frozen=True)
class ArtifactRow:
    """A file of a job; `path` is relative to the data folder; `role`: input, playable or output."""

    role: str
    path: str
    sha256: str | None = None
    bytes: int | None = None
    mime: str | None = None
    produce_id: str | None = None


@dataclass(frozen=True)
class VoiceRow:
    id: int
    uid: str
    owner_id: int
    name: str
    transcript: str
    prompt_path: str
    prompt_sha256: str
    seconds: Seconds
    findings: Sequence[Notice]
    shared: bool
    saved: bool
    created_at: int


@dataclass(frozen=True)
class HotwordListRow:
    name: str
    words: Sequence[str]


@dataclass(frozen=True)
class ConsentRow:
    id: int
    voice_id: int
    basis: str
    subject: str
    evidence: str
    recorded_by: int
    obtained_at: int
    expires_at: int | None
    revoked_at: int | None

    def live(self, at: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)


@dataclass(frozen=True)
class NewJob:
    """A job to submit. `uid` is chosen by the caller (`new_uid()`), for its files are in place before its row."""

    uid: str
    kind: str
    params: Mapping[str, Any]  # everything, model resolved
    model: str
    model_revision: str = ""
    device: str = "auto"
    priority: int = 0  # 10 interactive, 0 batch
    batch: str | None = None
    file_name: str = ""
    input: ArtifactRow | None = None
    voice_id: int | None = None
    warnings: tuple[Notice, ...] = ()
    text: str = ""  # to be spoken; another job's comes from its segments


@dataclass(frozen=True)
class NewSegment:
    """`start`, `end`: seconds from the start of the recording; 0 of a text, which is heard only later."""

    start: Seconds
    end: Seconds
    channel: int = 0
    source: str = ""  # the sentence to say, where the text was given


@dataclass(frozen=True)
class SegmentResult:
    """What a worker found out about one segment; `state`: done, failed or skipped. Times as in SegmentRow."""

    idx: int
    state: SegmentState = DONE
    text: str = ""
    text_raw: str = ""
    words: tuple[TimedWord, ...] = ()
    language: str | None = None
    speaker: str | None = None
    confidence: float | None = None
    took: Seconds | None = None
    error_code: str | None = None
    end: Seconds | None = None  # speak: where the sentence's audio ends, from its own start
    device: str | None = None  # None = as the rest of its batch


@dataclass(frozen=True)
class NewVoice:
    uid: str
    owner_id: int
    name: str
    transcript: str
    prompt_path: str
    prompt_sha256: str
    seconds: Seconds
    findings: tuple[Notice, ...] = ()
    shared: bool = False
    saved: bool = True


@dataclass(frozen=True)
class NewConsent:
    basis: str  # self | written | recorded
    subject: str
    evidence: str = ""
    expires_at: int | None = None


@dataclass(frozen=True)
class JobFilter:
    """What a listing, a search and an export share. `owner_id` None = everybody's (administrators)."""

    owner_id: int | None
    query: str = ""
    kind: str | None = None
    state: str | None = None
    batch: str | None = None
    since: int | None = None  # created_at ≥, ms
    until: int | None = None  # created_at <, ms


@dataclass(frozen=True)
class QueuePlace:
    """`position` counts from 1; `eta_s`: estimated seconds until the job ends, None where nothing is known yet."""

    position: int | None
    eta_s: float | None


@dataclass(frozen=True)
class Changes:
    """What changed after a number of the sequence: `now` is the number to ask with next time."""

    now: int
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lease:
    """The right to write to a running job; void as soon as the row's epoch moves on."""

    job_id: int
    uid: str
    owner_id: int
    epoch: int


@dataclass(frozen=True)
class Claim:
    lease: Lease
    job: JobRow


@dataclass(frozen=True)
class Recovered:
    """What a start found: counts of jobs put back, ended as cancelled, given up."""

    requeued: int = 0
    cancelled: int = 0
    given_up: int = 0
    lost: list[str] = field(default_factory=list)


_R = TypeVar("_R")


def columns(table: Table, row_class: type[Any]) -> list[Column[Any]]:
    """The table's columns in the order of the dataclass's fields, for `build`."""
    return [table.c[item.name] for item in fields(row_class)]


def build(row_class: Callable[..., _R], row: Sequence[Any]) -> _R:
    return row_class(*row)
