"""Making models faster on the CPU in the background, and how far that is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webui.engines.base import AnyModel
from webui.errors import Notice, UserError

State = Literal["none", "running", "failed", "done"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Optimisation:
    """`use` (precision) and `errors` (part → relative): what came of it; `error`: why it failed."""

    state: State
    use: str | None
    errors: Mapping[str, float] | None
    error: Notice | None


class Optimisations:
    """Thread-safe. `done` is called after each that came to a good end: loaded instances are then out of date."""

    def __init__(self, done: Callable[[], Any]) -> None:
        self._done = done
        self._running: set[str] = set()
        self._errors: dict[str, Notice] = {}
        self._lock = threading.Lock()

    def begin(self, model: AnyModel) -> None:
        """Start it, where it is not running already. Raises NOT_CAPABLE."""
        if model.optimise is None:
            raise UserError("NOT_CAPABLE", param="model", model=model.name, feature=Notice("FEATURE_OPTIMISE"))
        with self._lock:
            if model.name in self._running:
                return
            self._running.add(model.name)
            self._errors.pop(model.name, None)
        work = threading.Thread(target=self._work, args=(model.name, model.optimise), daemon=True)
        work.start()

    def of(self, model: AnyModel) -> Optimisation | None:
        """How far it is; None where it cannot be done."""
        if model.optimise is None:
            return None
        with self._lock:
            running, error = model.name in self._running, self._errors.get(model.name)
        report = model.optimised or {"use": None, "errors": None}
        state: State = "running" if running else "failed" if error else "done" if model.optimised else "none"
        return Optimisation(state, report["use"], report["errors"], error)

    def _work(self, name: str, optimise: Callable[[], None]) -> None:
        error: Notice | None = None
        try:
            optimise()
            self._done()
        except UserError as refused:
            error = refused.notice
        except Exception:
            log.exception("optimising %s failed", name)
            error = Notice("ENGINE_FAILED")
        with self._lock:
            self._running.discard(name)
            if error:
                self._errors[name] = error
