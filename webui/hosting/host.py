"""The models in memory: one loaded instance per model and device, loaded when first used, unloaded when idle."""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from webui import devices
from webui.audio.units import Seconds
from webui.devices.vendors import BY_KIND
from webui.engines.base import AnyModel, Engine, EngineError, Model
from webui.errors import Notice, UserError
from webui.hosting.calibration import Calibrations
from webui.hosting.hang_history import HangHistory
from webui.hosting.key_value import InMemoryStore, KeyValueStore
from webui.hosting.placement import Placement
from webui.hosting.watchdog import Call, Watchdog
from webui.settings import Settings

log = logging.getLogger(__name__)

SLOWEST_READ = 5e6  # bytes of weights in a second: what loads more slowly than that hangs
CLOSING_S = 5.0  # how long `close` waits for what is at work

E = TypeVar("E", bound=Engine)
_Key = tuple[str, str, str]  # model, kind, device


@dataclass(frozen=True)
class LoadedModel:
    """`idle_s`: seconds since it was last used, 0 while it is loading or at work."""

    name: str
    kind: str
    device: str
    size_bytes: int
    idle_s: float


@dataclass(frozen=True)
class Freed:
    unloaded: tuple[str, ...]
    bytes: int


class ModelHost:
    """Thread-safe. An instance is used by one thread at a time; others wait for it in `use`.

    `placement` knows which devices failed, `watch` which calls are under way, `calibrations` what was measured,
    `hangs` what hung lately; `memory` keeps the last two for the next start.
    """

    def __init__(self, settings: Settings, memory: KeyValueStore | None = None) -> None:
        memory = memory or InMemoryStore()
        self.calibrations = Calibrations(memory)
        self.hangs = HangHistory(memory)
        self.placement = Placement(self.hangs)
        self.watch = Watchdog()
        self._hang_limit_s = settings.hang_limit_s
        self._idle_unload_s = settings.idle_unload_s
        self._slots: dict[_Key, _Slot] = {}
        self._lock = threading.Lock()  # of the dictionary; never held while a model loads or works

    def place(self, model: AnyModel, device: str = "auto") -> str:
        """The device on which `model` would run: CPU engines run on the CPU wherever the worker is.

        Raises UserError DEVICE_UNAVAILABLE.
        """
        if model.device_kinds == ("cpu",):
            return "cpu"
        return devices.resolve(device).device if device in ("auto", *BY_KIND) else device

    @contextmanager
    def use(self, model: Model[E], device: str = "auto", limit_s: float = math.inf, work: object = None) -> Iterator[E]:
        """The engine, loaded if it is not, for this thread alone.

        `limit_s`: work that takes longer counts as hanging; loading has a limit of its own, by the size of the weights;
        waiting for another thread has none. `work`: what `watch` tells of a call that hangs.
        Raises UserError (MODEL_BROKEN, MODEL_HUNG, DEVICE_UNAVAILABLE, OUT_OF_MEMORY) and EngineError where it does
        not load.
        """
        slot = self._slot(model, self.place(model, device))
        with slot.lock:
            slot.cancel_unloading()
            try:
                if slot.instance is None:
                    with self.watch.over(model, slot.device, self._loading_limit(model), work, loading=True):
                        self._load(slot)
                with self.watch.over(model, slot.device, limit_s, work):
                    yield cast(E, slot.instance)  # a slot holds what a model of that name and kind loaded
            finally:
                if self._keeps(slot):
                    slot.unload_after(self._idle_unload_s)
                else:
                    slot.unload()

    def loaded(self) -> list[LoadedModel]:
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.instance is not None]
        return [slot.described() for slot in slots]

    def free(self) -> Freed:
        """Unload every model that is not at work, and hand the memory back."""
        with self._lock:
            slots = list(self._slots.values())
        unloaded = dict.fromkeys(slot.model.name for slot in slots if slot.unload_if_unused())
        return Freed(tuple(unloaded), devices.free_memory())

    def unload(self, model: AnyModel, device: str) -> None:
        """Unload one model, where it is not at work."""
        self._slot(model, device).unload_if_unused()

    def retire(self, device: str, why: Notice) -> None:
        """Use `device` no more, and unload what is on it."""
        for slot in self._lose(device, why):
            slot.unload_if_unused()

    def give_up(self, call: Call) -> None:
        """Use the device of `call` no more, which hangs, and remember it.

        Nothing on it is touched: to unload from it might never return either. Raises what `memory` raises.
        """
        self._lose(call.device, Notice("DEVICE_HUNG", {"device": call.device}))
        self.hangs.note(call)

    def close(self) -> None:
        """Unload everything, but what is still at work after some seconds."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        deadline = time.monotonic() + CLOSING_S
        for slot in slots:
            if not slot.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                log.warning("%s on %s is still at work and is not unloaded", slot.model.name, slot.device)
                continue
            try:
                slot.unload()
            finally:
                slot.lock.release()

    def _lose(self, device: str, why: Notice) -> list[_Slot]:
        """The slots that were on `device`."""
        self.placement.lose(device, why)
        with self._lock:
            return [self._slots.pop(key) for key in list(self._slots) if key[2] == device]

    def _loading_limit(self, model: AnyModel) -> float:
        """Seconds."""
        return self._hang_limit_s + model.size_bytes / SLOWEST_READ

    def _slot(self, model: AnyModel, device: str) -> _Slot:
        key = (model.name, model.kind, device)
        with self._lock:
            slot = self._slots.get(key)
            if slot is None or slot.model.revision != model.revision:
                old, slot = slot, _Slot(model, device)
                self._slots[key] = slot
                if old is not None:
                    old.unload_after(0)  # the folder was exchanged; where the old one is at work, `use` does it
            return slot

    def _keeps(self, slot: _Slot) -> bool:
        """False for one that was exchanged or retired while it was at work."""
        with self._lock:
            return self._slots.get((slot.model.name, slot.model.kind, slot.device)) is slot

    def _load(self, slot: _Slot) -> None:
        if slot.model.problem is not None:
            raise slot.model.problem.as_error()
        if hung := self.hangs.of(slot.model).get(slot.device):
            raise hung.as_error()
        try:
            slot.load()
            return
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise _understood(slot.model, error) from error
        log.warning("no memory for %s on %s: unloading what is idle", slot.model.name, slot.device)
        self.free()
        try:
            slot.load()
        except Exception as error:
            if devices.is_out_of_memory(error):
                raise UserError("OUT_OF_MEMORY") from error
            raise _understood(slot.model, error) from error


class _Slot:
    """One model on one device. All but `described` and `unload_after` need `lock`, held by whoever uses it."""

    def __init__(self, model: AnyModel, device: str) -> None:
        self.model = model
        self.device = device
        self.lock = threading.RLock()
        self.instance: Engine | None = None
        self._used = time.monotonic()
        self._timer: threading.Timer | None = None

    def load(self) -> None:
        began = time.monotonic()
        log.info("loading %s on %s", self.model.name, self.device)
        self.instance = self.model.load(self.device)
        log.info("loaded %s on %s in %.1f s", self.model.name, self.device, time.monotonic() - began)

    def unload(self) -> None:
        self.cancel_unloading()
        instance, self.instance = self.instance, None
        if instance is not None:
            instance.close()
            log.info("unloaded %s from %s", self.model.name, self.device)

    def unload_if_unused(self) -> bool:
        if not self.lock.acquire(blocking=False):
            return False
        try:
            was_loaded = self.instance is not None
            self.unload()
            return was_loaded
        finally:
            self.lock.release()

    def unload_after(self, seconds: Seconds) -> None:
        self._used = time.monotonic()
        self._timer = threading.Timer(seconds, self._on_idle)
        self._timer.daemon = True
        self._timer.start()

    def cancel_unloading(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def described(self) -> LoadedModel:
        idle = 0.0 if self._timer is None else time.monotonic() - self._used
        return LoadedModel(self.model.name, self.model.kind, self.device, self.model.size_bytes, idle)

    def _on_idle(self) -> None:
        if self.unload_if_unused():
            devices.free_memory()


def _understood(model: AnyModel, error: Exception) -> Exception:
    """What a user may see of a failure to load."""
    if isinstance(error, (UserError, EngineError)):
        return error
    number = secrets.token_hex(4)
    log.error("%s does not load (number %s)", model.name, number, exc_info=error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        reason = Notice("PACKAGE_MISSING", {"package": error.name.partition(".")[0]})
    else:
        reason = Notice("LOADING_FAILED", {"id": number})
    return UserError("MODEL_BROKEN", model=model.name, reason=reason)
