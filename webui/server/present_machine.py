"""Models and devices as a reader sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from webui import devices
from webui.engines.base import AnyModel, RecognizerCapabilities, SynthesizerCapabilities
from webui.errors import Notice
from webui.server.present import message
from webui.server.views import Message
from webui.server.views_machine import Capabilities, CatalogEntry, Device, Model, Models, Optimisation, Pull
from webui.service import models, optimising
from webui.service.device_table import DeviceStatus


def listing_view(listing: models.ModelListing, locale: str) -> Models:
    """As `GET /api/v1/models` gives it."""
    return Models(
        models=[_model(listed, locale) for listed in listing.models],
        catalog=[_entry(listed, locale) for listed in listing.catalog],
    )


def capabilities_view(model: AnyModel, locale: str) -> Capabilities:
    """What a model can do, the same fields whatever its kind; with a reason for every control it lacks."""
    every = asdict(RecognizerCapabilities()) | asdict(SynthesizerCapabilities())
    reasons = {control: message(Notice(code), locale) for control, code in model.capabilities.unavailable.items()}
    policy = {"basic": not model.dependable, "self_test": not model.offered}
    return Capabilities.model_validate({**every, **asdict(model.capabilities), **policy, "unavailable": reasons})


def device_views(table: Sequence[DeviceStatus], locale: str) -> list[Device]:
    return [_device(status, status.device, locale) for status in table]


def _device(status: DeviceStatus, device: devices.Device, locale: str) -> Device:
    wording = device.problem.worded(locale) if device.problem else None
    return Device(
        id=device.id,
        kind=device.kind,
        name=device.name,
        usable=device.usable,
        reason=wording.message if wording else "",
        hint=wording.hint if wording else "",
        memory_total=device.memory_total,
        memory_free=device.memory_free,
        tested=status.tested.worded(locale).message,
        notes=[note.worded(locale).message for note in status.notes],
    )


def _model(listed: models.ListedModel, locale: str) -> Model:
    model = listed.model
    return Model(
        name=model.name,
        engine=model.engine,
        kind=model.kind,
        revision=model.revision,
        size_bytes=model.size_bytes,
        capabilities=capabilities_view(model, locale),
        self_test=not model.offered,
        problem=_message(listed.problem, locale),
        loaded_on=list(listed.loaded_on),
        default=listed.default,
        speed=listed.speed,
        optimise=_optimisation(listed.optimisation, locale) if listed.optimisation else None,
    )


def _optimisation(found: optimising.Optimisation, locale: str) -> Optimisation:
    errors = None if found.errors is None else dict(found.errors)
    return Optimisation(state=found.state, use=found.use, errors=errors, error=_message(found.error, locale))


def _entry(listed: models.ListedEntry, locale: str) -> CatalogEntry:
    entry, pull = listed.entry, listed.pull
    return CatalogEntry(
        name=entry.name,
        title=entry.title.get(locale) or next(iter(entry.title.values()), entry.name),
        kind=entry.kind,
        languages=list(entry.languages),
        size_bytes=entry.size_bytes,
        licence=entry.licence,
        source=dict(entry.sources),
        note=entry.note.get(locale, ""),
        present=listed.present,
        pull=_pull(pull, locale) if pull else None,
    )


def _pull(pull: models.Pull, locale: str) -> Pull:
    return Pull(state=pull.state, done=pull.done, total=pull.total, error=_message(pull.error, locale))


def _message(notice: Notice | None, locale: str) -> Message | None:
    return message(notice, locale) if notice else None
