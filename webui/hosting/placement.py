"""Which device a model runs on: what was measured, and which devices failed or lack an operator since the start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from webui import devices
from webui.devices import Choice
from webui.engines.base import AnyModel
from webui.errors import Notice
from webui.hosting.hang_history import HangHistory

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """A model that runs on the CPU since a kind of device lacks one of its operators."""

    model: str
    kind: str
    device: str
    operator: str

    def reason(self) -> Notice:
        return Notice("OPERATOR_MISSING", {"model": self.model, "device": self.device, "operator": self.operator})


class Placement:
    """Thread-safe. All but `hangs` is forgotten with the process: the next start may find another driver or card."""

    def __init__(self, hangs: HangHistory) -> None:
        self._hangs = hangs
        self._lock = threading.Lock()
        self._lost: dict[str, Notice] = {}
        self._refusals: dict[tuple[str, str, str], Refusal] = {}

    def choose(self, model: AnyModel, device: str) -> Choice:
        """Where `model` runs when `device` (a card, or "cpu") is wanted for it."""
        if device == "cpu":
            return Choice("cpu")
        if model.device_kinds == ("cpu",):
            return Choice("cpu", Notice("MODEL_CPU_ONLY", {"model": model.name}))
        with self._lock:
            refusal = self._refusals.get((model.name, model.kind, devices.kind_of(device)))
        if refusal is not None:
            return Choice("cpu", refusal.reason())
        lost = {**self.lost(), **self._hangs.of(model)}
        if device not in lost:
            return Choice(device)
        return Choice(_another(device, lost), lost[device])

    def refuse(self, model: AnyModel, device: str, operator: str) -> None:
        """`device` cannot compute `operator`: from now on `model` runs on the CPU."""
        log.warning("%s lacks %s: %s runs on the cpu from now on", device, operator, model.name)
        with self._lock:
            refusal = Refusal(model.name, devices.kind_of(device), device, operator)
            self._refusals[model.name, model.kind, refusal.kind] = refusal

    def lose(self, device: str, why: Notice) -> None:
        """`device` is not used any more until the program starts again."""
        log.error("%s is given up: %s %s", device, why.code, why.params)
        with self._lock:
            self._lost.setdefault(device, why)

    def lost(self) -> Mapping[str, Notice]:
        """The devices that are not used, and why."""
        with self._lock:
            return {**self._hangs.devices(), **self._lost}

    def refusals(self) -> list[Refusal]:
        with self._lock:
            return list(self._refusals.values())


def _another(device: str, lost: Mapping[str, Notice]) -> str:
    """A card of the same kind that is still at work, else the CPU."""
    cards = [card for card in devices.probe() if card.kind == devices.kind_of(device) and card.usable]
    return next((card.id for card in cards if card.id not in lost), "cpu")
