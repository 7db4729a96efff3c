"""The scheduler: threads that prepare, one worker per device, and an end that loses nothing."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import DatabaseError

from webui import devices
from webui.audio.units import Seconds
from webui.disk import ROOM_TO_WORK, free_bytes
from webui.engines.base import EngineError
from webui.errors import UserError
from webui.hosting.watchdog import Call
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context, Worker, understood
from webui.jobs.kinds import KINDS
from webui.jobs.placed_model import Begun
from webui.jobs.prepare import Interrupted
from webui.jobs.recovery import WorkLock, clear_deleted, recover
from webui.store.queue import Cancelled, LeaseLost
from webui.store.rows import Claim, SegmentResult
from webui.store.states import FAILED, INTERACTIVE

log = logging.getLogger(__name__)

MOST_PREPARERS = 4
TRY_AGAIN_S = 5.0  # after a full disk or a locked file
LOOK_EVERY_S = 0.5
PROBING_S = 180.0  # after which a card that hangs, or its driver, is not waited for
DRAIN_S = 30.0  # how long `stop` waits for the batch in hand
_NOT_ITS_FAULT = ("BUSY", "DATABASE_MISSING")  # errors for which no job fails: it waits


def _nothing() -> None:
    """What there is to undo before `start`, and nobody to tell."""


@dataclass(frozen=True)
class Activity:
    """What a thread is doing: `job` None = waiting; `seconds` since it took the job up."""

    name: str
    job: str | None
    seconds: Seconds


class JobRunner:
    """Works the queue. One per data folder and database: their locks refuse a second.

    A device that hangs is given up, its segment is HUNG, and `on_hang` is told, once: the thread that hangs cannot be
    ended, so that the process shall end and be started again. Its job stays `running`, for the next start to queue.
    """

    def __init__(self, context: Context, changes: ChangeFeed, on_hang: Callable[[], object] = _nothing) -> None:
        self.context = context
        self._on_hang = on_hang
        self._hung: set[int] = set()  # idents of threads that hang
        self._ended = threading.Event()
        self._settings = context.settings
        self._changes = changes
        self._boot = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = context.draining
        self._threads: list[_Loop] = []
        self._lock: WorkLock | None = None
        self._unsubscribe: Callable[[], object] = _nothing

    def start(self) -> None:
        """Take the lock, put in order what a crash left, start the threads.

        Raises AlreadyRunning, UserError DEVICE_UNAVAILABLE for a device named in the settings that does not work.
        """
        wanted = self._settings.device
        cards = devices.cards(wanted) if wanted not in ("auto", "cpu") else None
        self._lock = WorkLock(self._settings)
        recover(self._settings, self.context.queue, self.context.jobs)
        self._unsubscribe = self._changes.subscribe(self._wake)
        for number in range(max(1, min(MOST_PREPARERS, (os.cpu_count() or 1) // 2))):
            self._begin(f"prepare-{number}", self._prepare, partial(self._claim_to_prepare, 0))
        self._begin("prepare-interactive", self._prepare, partial(self._claim_to_prepare, INTERACTIVE))
        threading.Thread(target=self._begin_workers, args=(cards,), name="devices", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def stop(self, timeout: float = DRAIN_S) -> bool:
        """Drain: the batch in hand is finished and committed, its job goes back into the queue.

        False where a batch took longer than `timeout`; its segments run again after the next start.
        """
        self._stopping.set()
        self._wake()
        deadline = time.monotonic() + timeout
        for thread in tuple(self._threads):
            while thread.is_alive() and thread.ident not in self._hung and time.monotonic() < deadline:
                thread.join(LOOK_EVERY_S)
        self._ended.set()
        self._unsubscribe()
        drained = not any(thread.is_alive() for thread in self._threads)
        if drained and self._lock is not None:
            self._lock.release()
            self._lock = None
        return drained

    def activity(self) -> list[Activity]:
        """What every thread is doing, for the System tab and for a watchdog."""
        return [thread.activity() for thread in self._threads]

    def _begin(self, name: str, work: Callable[[Claim], None], claim: Callable[[], Claim | None]) -> None:
        thread = _Loop(name, claim, partial(self._run, work), self._stopping)
        self._threads.append(thread)
        thread.start()

    def _begin_workers(self, cards: list[str] | None) -> None:
        """In a thread of its own: finding an accelerator loads torch, and the pages shall not wait for that."""
        late = threading.Timer(PROBING_S, self._begin_without_cards)
        late.daemon = True
        late.start()
        try:
            workers = _workers(cards or _cards(self._settings.device))
        except Exception:
            log.exception("the devices could not be looked at: working on the CPU")
            workers = _workers(["cpu"])
        late.cancel()
        for worker in workers:
            self._begin_worker(worker)

    def _begin_without_cards(self) -> None:
        log.error("the devices have not answered for %.0f s: working on the CPU meanwhile", PROBING_S)
        self._begin_worker(Worker("cpu", ("auto", "cpu")))

    def _begin_worker(self, worker: Worker) -> None:
        self._begin(f"work-{worker.device}", partial(self._work, worker), partial(self._claim_to_work, worker))

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.context.ballast.keep()
            for call in self.context.host.watch.overdue():
                self._give_up(call)

    def _give_up(self, call: Call) -> None:
        """End what hangs, as far as it can be ended. Of several segments begun together each goes alone next time."""
        doing = "loading" if call.loading else "working"
        log.error("%s, %s on %s, has not answered for %.0f s", call.model.name, doing, call.device, call.limit_s)
        first = not self._hung
        self._hung.add(call.thread)
        self._stopping.set()
        self._wake()
        try:
            self.context.host.give_up(call)
            if isinstance(call.work, Begun) and len(call.work.segments) == 1 and not call.loading:
                hung = SegmentResult(call.work.segments[0], FAILED, error_code="HUNG")
                self.context.queue.commit(call.work.lease, [hung], device=call.device, seconds=call.limit_s)
        except (LeaseLost, UserError, DatabaseError):
            log.exception("what hangs could not be noted")
        finally:
            if first:
                self._on_hang()

    def _wake(self) -> None:
        for thread in self._threads:
            thread.wake.set()

    def _claim_to_prepare(self, least_priority: int) -> Claim | None:
        return self.context.queue.claim("prepare", self._boot, least_priority=least_priority)

    def _claim_to_work(self, worker: Worker) -> Claim | None:
        return self.context.queue.claim("work", self._boot, worker.accepts)

    def _prepare(self, claim: Claim) -> None:
        KINDS[claim.job.kind].plan(self.context, claim)

    def _work(self, worker: Worker, claim: Claim) -> None:
        KINDS[claim.job.kind].work(self.context, claim, worker)

    def _run(self, work: Callable[[Claim], None], claim: Claim) -> None:
        """One turn at one job; whatever goes wrong ends in the job's row."""
        try:
            self._turn(work, claim)
        except LeaseLost:
            log.info("job %s was taken away", claim.lease.uid)
            clear_deleted(self._settings, self.context.jobs, claim.lease.uid)

    def _turn(self, work: Callable[[Claim], None], claim: Claim) -> None:
        """Raises LeaseLost."""
        queue, lease = self.context.queue, claim.lease
        try:
            work(claim)
        except LeaseLost:
            raise
        except Cancelled:
            self._settle(partial(queue.end_cancelled, lease))
        except Interrupted:
            self._settle(partial(queue.release, lease))
        except Exception as error:
            worded = self._worded(claim, error)
            if self._hung or worded.code in _NOT_ITS_FAULT:  # after a hang the next start finds out whose fault it was
                self._settle(partial(queue.release, lease))
            elif worded.code == "DISK_FULL" and not self._room():
                self._settle(partial(queue.release, lease))
                self._await_room()
            else:  # with room left the job itself was too large for it
                self._settle(partial(queue.fail, lease, worded))

    def _room(self) -> bool:
        least = ROOM_TO_WORK + self.context.ballast.missing()
        return all(free_bytes(path) >= least for path in (self._settings.data, self._settings.database))

    def _await_room(self) -> None:
        """The queue waits until somebody has made room; readiness and the pages say so meanwhile."""
        while not self._room() and not self._stopping.wait(TRY_AGAIN_S):
            pass

    def _worded(self, claim: Claim, error: Exception) -> UserError:
        if isinstance(error, OSError):
            try:
                error = understood(error, self._settings.data)
            except OSError as unknown:
                error = unknown
        if isinstance(error, UserError):
            log.info("job %s failed: %s", claim.lease.uid, error.code)
            return error
        log.error("job %s failed", claim.lease.uid, exc_info=error)
        if isinstance(error, EngineError):
            return UserError(error.code)
        if devices.is_out_of_memory(error):
            return UserError("OUT_OF_MEMORY")
        return UserError("INTERNAL", id=claim.lease.uid)

    def _settle(self, write: Callable[[], None]) -> None:
        """Write the end of a turn, however long the disk stays full: a job must not stay running without a worker.

        Raises LeaseLost.
        """
        while True:
            try:
                write()
            except (UserError, DatabaseError):
                log.exception("the end of a job could not be written; trying again")
                if self._stopping.wait(TRY_AGAIN_S):
                    return  # the next start finds it running and queues it
            else:
                return


class _Loop(threading.Thread):
    """Claims and works until the program ends; sleeps while there is nothing to claim."""

    def __init__(
        self,
        name: str,
        claim: Callable[[], Claim | None],
        run: Callable[[Claim], None],
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.wake = threading.Event()
        self._claim = claim
        self._work_on = run
        self._stopping = stopping
        self._job: str | None = None
        self._since = time.monotonic()

    def run(self) -> None:
        while True:
            self.wake.clear()
            if self._stopping.is_set():  # looked at after `clear`, or the wake-up of `stop` could be lost
                return
            try:
                claim = self._claim()
                if claim is None:
                    self.wake.wait()
                    continue
                self._note(claim.lease.uid)
                self._work_on(claim)
            except Exception:  # a full disk, a locked file: a worker must outlive them
                log.exception("%s failed; trying again", self.name)
                self._stopping.wait(TRY_AGAIN_S)
            self._note(None)

    def activity(self) -> Activity:
        return Activity(self.name, self._job, time.monotonic() - self._since)

    def _note(self, job: str | None) -> None:
        self._job, self._since = job, time.monotonic()


def _workers(cards: list[str]) -> list[Worker]:
    """A worker per card, each taking what names none; the CPU beside accelerators takes what asks for it."""
    if cards == ["cpu"]:
        return [Worker("cpu", ("auto", "cpu"))]
    return [*(Worker(card, ("auto", card, devices.kind_of(card))) for card in cards), Worker("cpu", ("cpu",))]


def _cards(wanted: str) -> list[str]:
    """The devices of the workers, `wanted` being auto or cpu; torch is only loaded where a driver suggests more."""
    expected = any(device.kind != "cpu" for device in devices.probe(load=False))
    return devices.cards("auto") if wanted == "auto" and expected else ["cpu"]
