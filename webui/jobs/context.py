"""What every step of a job works with, and the small things they share."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from webui.audio.intake import Decoder
from webui.ballast import Ballast
from webui.disk import disk_full
from webui.engines import catalog
from webui.engines.base import AnyModel, SpeechDetector
from webui.errors import UserError
from webui.hosting.host import ModelHost
from webui.jobs.detection import detector_for
from webui.jobs.params import P, stored
from webui.settings import Settings
from webui.store.database import Database
from webui.store.jobs import JobStore
from webui.store.queue import Queue
from webui.store.rows import Claim, JobRow
from webui.store.voices import VoiceStore

MOST_IN_BATCH = 64  # segments

M = TypeVar("M", bound=AnyModel)


@dataclass(frozen=True)
class Worker:
    """A device worker: the device it works on and the devices asked for ("auto", "cuda:0") whose jobs it may claim."""

    device: str
    accepts: tuple[str, ...] = ("auto",)


@dataclass(frozen=True)
class TypedClaim(Claim, Generic[P]):
    """A claim with the parameters of its job as an object."""

    params: P

    @classmethod
    def of(cls, claim: Claim, params: type[P]) -> TypedClaim[P]:
        """Raises UserError JOB_PARAMS for a row whose parameters cannot be used."""
        return cls(claim.lease, claim.job, stored(params, claim.job.params))


@dataclass(frozen=True)
class Context:
    """`models` lists what is present now; `draining`, once set: no further batch is begun."""

    settings: Settings
    queue: Queue
    jobs: JobStore
    voices: VoiceStore
    host: ModelHost
    decoder: Decoder
    detector: SpeechDetector
    ballast: Ballast
    models: Callable[[], list[AnyModel]]
    draining: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def build(cls, settings: Settings, database: Database, host: ModelHost, decoder: Decoder) -> Context:
        """Of one program; quick, loads nothing. `host` and `decoder` stay the caller's to close."""
        database = database.patient()
        models = partial(catalog.available, settings)
        return cls(
            settings=settings,
            queue=Queue(database),
            jobs=JobStore(database),
            voices=VoiceStore(database),
            host=host,
            decoder=decoder,
            detector=detector_for(settings, models),
            ballast=Ballast(settings),
            models=models,
        )

    def stopping(self) -> bool:
        """Whether the program is about to end."""
        return self.draining.is_set()

    def model(self, name: str, kind: type[M]) -> M:
        """Raises UserError MODEL_NOT_FOUND."""
        present = [model for model in self.models() if isinstance(model, kind)]
        for model in present:
            if model.name == name:
                return model
        raise UserError("MODEL_NOT_FOUND", model=name, present=", ".join(model.name for model in present))

    def upload(self, job: JobRow, name: str) -> Path:
        """A file of the job below `uploads`; its folder exists."""
        return _in_folder(self.settings.uploads / job.uid, name)

    def output(self, job: JobRow, name: str) -> Path:
        """A file of the job below `outputs`; its folder exists."""
        return _in_folder(self.settings.outputs / job.uid, name)

    def hand_over(self, claim: Claim, worker: Worker) -> bool:
        """Between two batches: put the job back where the program ends or another job is next. Raises LeaseLost."""
        if not (self.stopping() or self.queue.preempted(claim.lease, worker.accepts)):
            return False
        self.queue.release(claim.lease)
        return True

    def note_device(self, claim: Claim, stage: str, device: str) -> None:
        """Show in the job's row that `device` has a part in `stage` (transcribe, speak, convert). Raises LeaseLost."""
        self.queue.note_device(claim.lease, stage, device)

    def relative(self, path: Path) -> str:
        return path.relative_to(self.settings.data).as_posix()


def understood(error: OSError, folder: Path) -> UserError:
    """A failure to write as the user's error."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder)
    if isinstance(error, FileNotFoundError):
        return UserError("MISSING_INPUT")
    raise error


def _in_folder(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
