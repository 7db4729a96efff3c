"""The models in memory: one loaded instance per model and device, loaded when first used, unloaded when idle."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from webui import devices
from webui.devices import Reason
from webui.engines.base import EngineError, Model
from webui.engines.calibration import Calibrations, Forgetful, Memory
from webui.engines.placement import Placement
from webui.engines.watch import Watch
from webui.errors import UserError
from webui.settings import Settings

log = logging.getLogger(__name__)

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

    `placement` knows which devices failed, `watch` which calls are under way, `calibrations` what was measured;
    `memory` keeps that for the next start.
    """

    def __init__(self, settings: Settings, memory: Memory | None = None) -> None:
        self.calibrations = Calibrations(memory or Forgetful())
        self.placement = Placement()
        self.watch = Watch()
        self._idle_unload_s = settings.idle_unload_s
        self._slots: dict[_Key, _Slot] = {}
        self._lock = threading.Lock()  # of the dictionary; never held while a model loads or works

    def place(self, model: Model, device: str = "auto") -> str:
        """The device on which `model` would run: CPU engines run on the CPU wherever the worker is.

        Raises UserError DEVICE_UNAVAILABLE.
        """
        if model.device_kinds == ("cpu",):
            return "cpu"
        return devices.resolve(device).device if device in ("auto", "npu", "cuda") else device

    @contextmanager
    def use(self, model: Model, device: str = "auto", limit_s: float = math.inf, work: Any = None) -> Iterator[Any]:
        """The Recognizer or Synthesizer, loaded if it is not, for this thread alone.

        `limit_s`: loading and working that take longer count as hanging; waiting for another thread does not.
        `work`: what `watch` tells of a call that hangs.
        Raises UserError (MODEL_BROKEN, DEVICE_UNAVAILABLE, OUT_OF_MEMORY) and EngineError where it does not load.
        """
        slot = self._slot(model, self.place(model, device))
        with slot.lock:
            slot.cancel_unloading()
            try:
                with self.watch.over(model.name, slot.device, limit_s, work):
                    yield self._load(slot) if slot.instance is None else slot.instance
            finally:
                slot.unload_after(self._idle_unload_s)

    def loaded(self) -> list[LoadedModel]:
        with self._lock:
            slots = [slot for slot in self._slots.values() if slot.instance is not None]
        return [slot.described() for slot in slots]

    def free(self) -> Freed:
        """Unload every model that is not at work, and hand the memory back."""
        with self._lock:
            slots = list(self._slots.values())
        unloaded = tuple(slot.model.name for slot in slots if slot.unload_if_unused())
        return Freed(unloaded, devices.free_memory())

    def unload(self, model: Model, device: str) -> None:
        """Unload one model, where it is not at work."""
        self._slot(model, device).unload_if_unused()

    def retire(self, device: str, why: Reason) -> None:
        """Use `device` no more. What hangs on it is left alone: nobody waits for it, not even `close`."""
        self.placement.lose(device, why)
        with self._lock:
            slots = [self._slots.pop(key) for key in list(self._slots) if key[2] == device]
        for slot in slots:
            slot.unload_if_unused()

    def close(self) -> None:
        """Unload everything, waiting for what is at work."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        for slot in slots:
            with slot.lock:
                slot.unload()

    def _slot(self, model: Model, device: str) -> _Slot:
        key = (model.name, model.kind, device)
        with self._lock:
            slot = self._slots.get(key)
            if slot is None or slot.model.revision != model.revision:
                old, slot = slot, _Slot(model, device)
                self._slots[key] = slot
                if old is not None:
                    old.unload_after(0)  # the folder was exchanged; the old one goes when its work is done
            return slot

    def _load(self, slot: _Slot) -> Any:
        if slot.model.problem is not None:
            code, params = slot.model.problem
            raise UserError(code, **params)
        try:
            return slot.load()
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise _understood(slot.model, error) from error
        log.warning("no memory for %s on %s: unloading what is idle", slot.model.name, slot.device)
        self.free()
        try:
            return slot.load()
        except Exception as error:
            if devices.is_out_of_memory(error):
                raise UserError("OUT_OF_MEMORY") from error
            raise _understood(slot.model, error) from error


class _Slot:
    """One model on one device. All but `described` and `unload_after` need `lock`, held by whoever uses it."""

    def __init__(self, model: Model, device: str) -> None:
        self.model = model
        self.device = device
        self.lock = threading.RLock()
        self.instance: Any = None
        self._used = time.monotonic()
        self._timer: threading.Timer | None = None

    def load(self) -> Any:
        began = time.monotonic()
        log.info("loading %s on %s", self.model.name, self.device)
        self.instance = self.model.load(self.device)
        log.info("loaded %s on %s in %.1f s", self.model.name, self.device, time.monotonic() - began)
        return self.instance

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

    def unload_after(self, seconds: float) -> None:
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


def _understood(model: Model, error: Exception) -> Exception:
    """What a user may see of a failure to load."""
    if isinstance(error, (UserError, EngineError)):
        return error
    log.error("%s does not load", model.name, exc_info=error)
    return UserError("MODEL_BROKEN", model=model.name, reason=type(error).__name__)
