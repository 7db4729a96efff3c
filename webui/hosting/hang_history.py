"""What hung, remembered over restarts: a card that did not answer, a model that never finished loading.

The process that hangs is ended and started again; without a memory the next one would walk into the same trap, and each
time cost a segment and many minutes. Nothing is remembered of the CPU as a device: there is no other to turn to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webui.engines.base import AnyModel
from webui.errors import Notice
from webui.hosting.key_value import KeyValueStore
from webui.hosting.watchdog import Call

REMEMBERED_S = 24 * 3600.0
_KEY = "hung"
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # Linux: another one after every start of the machine


class HangHistory:
    """Thread-safe. Forgotten after a day, when the machine was started anew, and by `forget`."""

    def __init__(self, memory: KeyValueStore) -> None:
        self._memory = memory
        self._lock = threading.Lock()

    def note(self, call: Call) -> None:
        """Remember what `call` says of its device, or of its model where it was loading."""
        if call.device == "cpu" and not call.loading:
            return
        found = {"device": call.device, "model": _identity(call.model) if call.loading else None, "at": time.time()}
        with self._lock:
            self._memory.save(_KEY, {"boot": _boot(), "found": [*self._found(), found]})

    def devices(self) -> Mapping[str, Notice]:
        """The devices that are set aside, and why."""
        named = [found["device"] for found in self._found() if found["model"] is None]
        return {device: Notice("DEVICE_HUNG", {"device": device}) for device in named}

    def of(self, model: AnyModel) -> Mapping[str, Notice]:
        """The devices on which `model` is not loaded, and why; exchanged weights are tried anew."""
        named = [found["device"] for found in self._found() if found["model"] == _identity(model)]
        return {device: Notice("MODEL_HUNG", {"model": model.name, "device": device}) for device in named}

    def forget(self) -> None:
        """Try everything again."""
        with self._lock:
            self._memory.save(_KEY, {})

    def _found(self) -> list[Mapping[str, Any]]:
        kept = self._memory.load(_KEY) or {}
        if kept.get("boot") != _boot():
            return []
        return [found for found in kept["found"] if abs(time.time() - found["at"]) < REMEMBERED_S]


def _identity(model: AnyModel) -> list[str]:
    return [model.kind, model.name, model.revision]


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
