"""A model at work for one job, and what becomes of it when the device fails.

Out of memory: idle models and caches are freed; the caller tries its batch again in halves; what cannot be halved and
still does not fit goes to the CPU. An operator that the device lacks: the model goes to the CPU. A device error: once
more, then the device is given up and the job goes on elsewhere. Nothing of it is silent: the job's row tells.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from webui.audio.units import Seconds
from webui.devices.faults import Fault, fault_in
from webui.engines.base import Engine, Model
from webui.errors import Notice
from webui.hosting.calibration import Speeds, Stop, Stopped, Trial, measure
from webui.jobs.context import Context, Worker
from webui.store.rows import Claim, Lease, SegmentRow
from webui.store.states import RUNNING

log = logging.getLogger(__name__)

SLOWEST = 100.0  # seconds of work for a second of audio: what is slower than that hangs

LONGEST_TRIAL_S = 10.0  # seconds of audio

T = TypeVar("T")
E = TypeVar("E", bound=Engine)


@dataclass(frozen=True)
class Begun:
    """The segments that a call works on; none while the model is loading."""

    lease: Lease
    segments: tuple[int, ...] = ()


@dataclass(frozen=True)
class Done(Generic[T]):
    """What a call into the model gave, where, and in how many seconds (without loading)."""

    value: T
    device: str
    seconds: Seconds


class PlacedModel(Generic[E]):
    """`stage`: under which the job's row names the devices that worked (transcribe, speak, convert).

    `trial`: of `hosting.calibration`, by which the model's speed is measured.
    """

    def __init__(
        self,
        context: Context,
        claim: Claim,
        model: Model[E],
        worker: Worker,
        stage: str,
        trial: Callable[[E, Stop], Trial],
    ) -> None:
        """Load the model. Raises UserError, EngineError where it cannot be had, LeaseLost."""
        self._context = context
        self._claim = claim
        self._model = model
        self._wanted = worker.device
        self._stage = stage
        self._trial = trial
        self._automatic = context.settings.device == "auto" and claim.job.device == "auto"
        self._noted: list[str] = []
        self._retried = False
        self._begun = Begun(claim.lease)
        self.device = self._choose()
        self.load()
        self._note(self.device)

    def take(self, seconds: Seconds, count: int) -> list[SegmentRow]:
        """The next batch, as Queue.take gives it, with the model in memory: no segment begins while it is loading."""
        self.load()
        batch = self._context.queue.take(self._claim.lease, seconds, count)
        self._begun = Begun(self._claim.lease, tuple(segment.idx for segment in batch))
        return batch

    def load(self) -> None:
        """Have the model in memory. Raises as `run`."""
        self._begun = Begun(self._claim.lease)
        self.device = self.run(_nothing, 0).device  # the CPU, where the device has no room for the model

    def run(self, work: Callable[[E], T], seconds: Seconds, divisible: bool = False) -> Done[T]:
        """`work(engine)` on the device, or where it can be done instead; `seconds`: of audio, for the time limit.

        Raises what `work` raises where the device is not to blame; for want of memory only where the work can be
        divided, or the CPU has not enough either.
        """
        self._retried = freed = False
        while True:
            try:
                return self._attempt(work, seconds, self.device)
            except Exception as error:
                fault = fault_in(error)
                if fault is None or self.device == "cpu" or (fault.kind == "memory" and freed and divisible):
                    raise
                log.warning("job %s: %s on %s", self._claim.lease.uid, fault, self.device, exc_info=error)
            # Outside the handler: the exception's frames hold tensors in the device's memory.
            if fault.kind != "memory":
                self._recover(fault)
            elif freed:
                self._warn(Notice("MEMORY_FELL_BACK", {"device": self.device}))
                return self._attempt(work, seconds, "cpu")
            else:
                self._context.host.free()
                freed = True

    def _attempt(self, work: Callable[[E], T], seconds: Seconds, device: str) -> Done[T]:
        with self._context.host.use(self._model, device, self._limit(seconds), self._begun) as engine:
            began = time.monotonic()  # loading is not the owner's service
            value = work(engine)
            took = time.monotonic() - began
        if work is not _nothing:
            self._note(device)
        return Done(value, device, took)

    def _limit(self, seconds: Seconds) -> float:
        return self._context.settings.hang_limit_s + SLOWEST * seconds

    def _recover(self, fault: Fault) -> None:
        """After this `self.device` is the one to try next."""
        device, host = self.device, self._context.host
        if fault.kind == "operator":
            host.placement.refuse(self._model, device, fault.detail)
        elif self._retried:
            lost = Notice("DEVICE_LOST", {"device": device, "detail": fault.detail})
            host.retire(device, lost)
            self._warn(lost)
        else:
            self._retried = True
            self._warn(Notice("DEVICE_RETRIED", {"device": device, "detail": fault.detail}))
            return
        self._retried = False
        self.device = self._choose()

    def _choose(self) -> str:
        choice = self._context.host.placement.choose(self._model, self._wanted)
        if choice.why is not None and not (choice.why.code == "MODEL_CPU_ONLY" and self._claim.job.device == "auto"):
            self._warn(choice.why)
        if choice.device == "cpu" or not self._automatic:
            return choice.device
        speeds = self._speeds(choice.device)
        return "cpu" if speeds and speeds.cpu_wins else choice.device

    def _speeds(self, device: str) -> Speeds | None:
        """What the model does on `device` and on the CPU, measured now where it never was; None: nobody knows."""
        calibrations = self._context.host.calibrations
        with calibrations.lock:
            known = calibrations.find(self._model, device)
            if known is not None:
                return known
            try:
                there = self._measured(device)
                speeds = Speeds(device, there, self._measured("cpu", enough=there))
            except Stopped:
                return None
            except Exception as error:  # a job meets the same, and knows what to do about it
                log.warning("%s could not be measured on %s", self._model.name, device, exc_info=error)
                return None
            calibrations.keep(self._model, speeds)
        self._context.host.unload(self._model, device if speeds.cpu_wins else "cpu")
        return speeds

    def _measured(self, device: str, enough: float = math.inf) -> float:
        with self._context.host.use(self._model, device, self._limit(LONGEST_TRIAL_S), self._begun) as engine:
            return measure(self._trial(engine, self._unwanted), self._unwanted, enough)

    def _unwanted(self) -> bool:
        """Whether the job was cancelled or the program ends."""
        return self._context.stopping() or self._context.jobs.get(None, self._claim.job.uid).state != RUNNING

    def _warn(self, warning: Notice) -> None:
        self._context.queue.warn(self._claim.lease, warning)

    def _note(self, device: str) -> None:
        """Name `device` in the job's row, after those that worked before it."""
        if device not in self._noted:
            self._noted.append(device)
            self._context.note_device(self._claim, self._stage, device)


def _nothing(_engine: Engine) -> None:
    """The work of a trial run: to have the model loaded."""
