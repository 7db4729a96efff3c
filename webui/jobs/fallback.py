"""A model at work for one job, and what becomes of it when the device fails.

Out of memory: idle models and caches are freed, the batch is tried again in halves, one segment that still does not
fit goes to the CPU. An operator that the device lacks: the model goes to the CPU. A device error: once more, then the
device is given up and the job goes on elsewhere. Nothing of it is silent: the job's row tells.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from webui.devices import Reason
from webui.engines.base import Model
from webui.engines.faults import Fault, fault_in
from webui.jobs.context import Context, Seat, problem
from webui.store.rows import Claim, Lease, SegmentRow

log = logging.getLogger(__name__)

SLOWEST = 100.0  # seconds of work for a second of audio: what is slower than that hangs

T = TypeVar("T")


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
    seconds: float


class PlacedModel:
    """`stage`: under which the job's row names the devices that worked (transcribe, speak, convert)."""

    def __init__(self, context: Context, claim: Claim, model: Model, seat: Seat, stage: str) -> None:
        """Load the model. Raises UserError, EngineError where it cannot be had, LeaseLost."""
        self._context = context
        self._claim = claim
        self._model = model
        self._wanted = context.host.place(model, seat.device)
        self._stage = stage
        self._noted: list[str] = []
        self.device = self._choose()
        self._retried = False
        self._begun = Begun(claim.lease)
        self.load()
        self._note(self.device)

    def take(self, seconds: float, count: int) -> list[SegmentRow]:
        """The next batch, as Queue.take gives it, with the model in memory: no segment begins while it is loading."""
        self.load()
        batch = self._context.queue.take(self._claim.lease, seconds, count)
        self._begun = Begun(self._claim.lease, tuple(segment.idx for segment in batch))
        return batch

    def load(self) -> None:
        """Have the model in memory. Raises as `run`."""
        self._begun = Begun(self._claim.lease)
        self.device = self.run(_nothing, 0).device  # the CPU, where the device has no room for the model

    def run(self, work: Callable[[Any], T], seconds: float, divisible: bool = False) -> Done[T]:
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
                self._warn("MEMORY_FELL_BACK", device=self.device)
                return self._attempt(work, seconds, "cpu")
            else:
                self._context.host.free()
                freed = True

    def _attempt(self, work: Callable[[Any], T], seconds: float, device: str) -> Done[T]:
        limit = self._context.settings.hang_limit_s + SLOWEST * seconds
        with self._context.host.use(self._model, device, limit, self._begun) as engine:
            began = time.monotonic()  # loading is not the owner's service
            value = work(engine)
            took = time.monotonic() - began
        if work is not _nothing:
            self._note(device)
        return Done(value, device, took)

    def _recover(self, fault: Fault) -> None:
        """After this `self.device` is the one to try next."""
        device, host = self.device, self._context.host
        if fault.kind == "operator":
            host.placement.refuse(self._model, device, fault.detail)
        elif self._retried:
            lost = Reason("DEVICE_LOST", {"device": device, "detail": fault.detail})
            host.retire(device, lost)
            self._warn(lost.code, **lost.params)
        else:
            self._retried = True
            self._warn("DEVICE_RETRIED", device=device, detail=fault.detail)
            return
        self._retried = False
        self.device = self._choose()

    def _choose(self) -> str:
        choice = self._context.host.placement.choose(self._model, self._wanted)
        if choice.why is not None:
            self._warn(choice.why.code, **choice.why.params)
        return choice.device

    def _warn(self, code: str, **params: Any) -> None:
        self._context.queue.warn(self._claim.lease, problem(code, **params))

    def _note(self, device: str) -> None:
        """Name `device` in the job's row, after those that worked before it."""
        if device not in self._noted:
            self._noted.append(device)
            self._context.note_device(self._claim, self._stage, device)


def _nothing(_engine: Any) -> None:
    """The work of a trial run: to have the model loaded."""
