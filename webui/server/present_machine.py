"""Models and devices as a reader sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from webui.devices import Device
from webui.engines.base import AnyModel, RecognizerCapabilities, SynthesizerCapabilities
from webui.errors import Notice
from webui.server.present import message
from webui.service.device_table import DeviceStatus
from webui.service.models import ListedEntry, ListedModel, ModelListing, Pull
from webui.service.optimising import Optimisation


def listing_view(listing: ModelListing, locale: str) -> dict[str, Any]:
    """As `GET /api/v1/models` gives it."""
    return {
        "models": [_model(listed, locale) for listed in listing.models],
        "catalog": [_entry(listed, locale) for listed in listing.catalog],
    }


def capabilities_view(model: AnyModel, locale: str) -> dict[str, Any]:
    """What a model can do as JSON, the same fields whatever its kind; with a reason for every control it lacks."""
    every = asdict(RecognizerCapabilities()) | asdict(SynthesizerCapabilities())
    reasons = {control: _message(Notice(code), locale) for control, code in model.capabilities.unavailable.items()}
    policy = {"basic": not model.dependable, "self_test": not model.offered}
    return {**every, **asdict(model.capabilities), **policy, "unavailable": reasons}


def device_views(table: Sequence[DeviceStatus], locale: str) -> list[dict[str, Any]]:
    return [
        {
            **_device(status.device, locale),
            "tested": status.tested.worded(locale).message,
            "notes": [note.worded(locale).message for note in status.notes],
        }
        for status in table
    ]


def _device(device: Device, locale: str) -> dict[str, Any]:
    """`reason` and `hint` are empty where nothing is wrong."""
    wording = device.problem.worded(locale) if device.problem else None
    return {
        "id": device.id,
        "kind": device.kind,
        "name": device.name,
        "usable": device.usable,
        "reason": wording.message if wording else "",
        "hint": wording.hint if wording else "",
        "memory_total": device.memory_total,
        "memory_free": device.memory_free,
    }


def _model(listed: ListedModel, locale: str) -> dict[str, Any]:
    model = listed.model
    return {
        "name": model.name,
        "engine": model.engine,
        "kind": model.kind,
        "revision": model.revision,
        "size_bytes": model.size_bytes,
        "capabilities": capabilities_view(model, locale),
        "self_test": not model.offered,
        "problem": _message(listed.problem, locale),
        "loaded_on": list(listed.loaded_on),
        "default": listed.default,
        "speed": listed.speed,
        "optimise": _optimisation(listed.optimisation, locale) if listed.optimisation else None,
    }


def _optimisation(found: Optimisation, locale: str) -> dict[str, Any]:
    errors = None if found.errors is None else dict(found.errors)
    return {"state": found.state, "use": found.use, "errors": errors, "error": _message(found.error, locale)}


def _entry(listed: ListedEntry, locale: str) -> dict[str, Any]:
    entry, pull = listed.entry, listed.pull
    return {
        "name": entry.name,
        "title": entry.title.get(locale) or next(iter(entry.title.values()), entry.name),
        "kind": entry.kind,
        "languages": list(entry.languages),
        "size_bytes": entry.size_bytes,
        "licence": entry.licence,
        "source": dict(entry.sources),
        "note": entry.note.get(locale, ""),
        "present": listed.present,
        "pull": _pull(pull, locale) if pull else None,
    }


def _pull(pull: Pull, locale: str) -> dict[str, Any]:
    return {"state": pull.state, "done": pull.done, "total": pull.total, "error": _message(pull.error, locale)}


def _message(notice: Notice | None, locale: str) -> dict[str, Any] | None:
    return message(notice, locale).model_dump() if notice else None
