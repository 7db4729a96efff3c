"""What a caller sees of the server itself: models, devices, settings, the state of the whole. Sizes in bytes."""

from __future__ import annotations

from pydantic import BaseModel

from webui.jobs.kinds import Result
from webui.server.views import Message
from webui.service.models import PullState
from webui.service.optimising import State as OptimisationState


class Capabilities(BaseModel):
    """The same fields whatever the model's kind; `unavailable`: why it lacks a control that a user may look for."""

    languages: list[str]
    streaming: bool
    unavailable: dict[str, Message]
    hotwords: bool
    itn: bool
    punctuation: bool
    word_times: bool
    speakers: bool
    batch_seconds: float
    instruct: bool
    instructions: list[tuple[str, str]]
    instruct_characters: int
    pronunciation: bool
    convert: bool
    similarity: bool
    needs_transcript: bool
    prompt_rate: int
    own_voice: bool
    sample_rate: int
    basic: bool
    self_test: bool


class Optimisation(BaseModel):
    """`use`: what the CPU computes in; `errors`: part → relative error, measured."""

    state: OptimisationState
    use: str | None
    errors: dict[str, float] | None
    error: Message | None


class Model(BaseModel):
    name: str
    engine: str
    kind: str
    revision: str
    size_bytes: int
    capabilities: Capabilities
    self_test: bool
    problem: Message | None
    loaded_on: list[str]
    default: bool
    speed: str
    optimise: Optimisation | None


class Pull(BaseModel):
    """A download: bytes `done` of `total`."""

    state: PullState
    done: int
    total: int
    error: Message | None


class CatalogEntry(BaseModel):
    """`source`: hub → repository; `size_bytes` 0 = nobody measured it."""

    name: str
    title: str
    kind: str
    languages: list[str]
    size_bytes: int
    licence: str
    source: dict[str, str]
    note: str
    present: bool
    pull: Pull | None


class Models(BaseModel):
    """The models that are present, and those that could be had."""

    models: list[Model]
    catalog: list[CatalogEntry]


class Options(BaseModel):
    """What an administrator chooses; null = by itself."""

    default_recognizer: str | None
    default_synthesizer: str | None
    device: str


class Device(BaseModel):
    """`reason` and `hint` are empty where nothing is wrong; memory is null where nobody knows it."""

    id: str
    kind: str
    name: str
    usable: bool
    reason: str
    hint: str
    memory_total: int | None
    memory_free: int | None
    tested: str
    notes: list[str]


class Disk(BaseModel):
    total: int
    free: int
    reserve: int


class Activity(BaseModel):
    """A thread at work: on which job, for how long."""

    name: str
    job: str | None
    seconds: float


class JobFacts(BaseModel):
    """The kinds and states that jobs have; `results`: what each kind gives, a text or a file of sound."""

    kinds: list[str]
    results: dict[str, Result]
    states: list[str]
    open_states: list[str]
    result_states: list[str]
    retryable_states: list[str]


class Formats(BaseModel):
    transcript: list[str]
    speech: list[str]


class Label(BaseModel):
    producer_code: bool
    position: str


class Limits(BaseModel):
    upload_bytes: int
    audio_hours: float
    queued_jobs: int


class System(BaseModel):
    """`queue`: unfinished jobs by state; `problems`: why new work should go elsewhere."""

    version: str
    python: str
    platform: str
    libraries: dict[str, str]
    disk: Disk
    queue: dict[str, int]
    workers: list[Activity]
    open_mode: bool
    jobs: JobFacts
    formats: Formats
    label: Label
    limits: Limits
    problems: list[Message]


class Freed(BaseModel):
    unloaded: list[str]
    freed_bytes: int
