"""The kinds, states and priorities of jobs: every other module reads them here, the pages by way of the API."""

from __future__ import annotations

from typing import Final, Literal, get_args

JobKind = Literal["transcribe", "speak", "convert"]
TRANSCRIBE: Final = "transcribe"
SPEAK: Final = "speak"
CONVERT: Final = "convert"

JobState = Literal["queued", "running", "cancelling", "done", "partial", "failed", "cancelled", "expired"]
QUEUED: Final = "queued"
RUNNING: Final = "running"
CANCELLING: Final = "cancelling"
DONE: Final = "done"
PARTIAL: Final = "partial"  # some segments failed
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"  # the files are deleted, the text is kept; retention comes later, nothing sets it yet

SegmentState = Literal["pending", "done", "failed", "skipped"]
PENDING: Final = "pending"
SKIPPED: Final = "skipped"  # no model here knows the language

JOB_KINDS: tuple[JobKind, ...] = get_args(JobKind)
JOB_STATES: tuple[JobState, ...] = get_args(JobState)
SEGMENT_STATES: tuple[SegmentState, ...] = get_args(SegmentState)
OPEN_STATES: tuple[JobState, ...] = (QUEUED, RUNNING, CANCELLING)
RESULT_STATES: tuple[JobState, ...] = (DONE, PARTIAL)  # the job's result can be fetched
RETRYABLE_STATES: tuple[JobState, ...] = (PARTIAL, FAILED, CANCELLED)
FINAL_STATES = frozenset(JOB_STATES) - frozenset(OPEN_STATES)

INTERACTIVE = 10  # the priority of what somebody waits for; 0 is batch work
