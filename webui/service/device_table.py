"""The table of devices: what is there, what works, why not; for the System tab, the API and `app.py devices`."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace

from webui import devices
from webui.devices import Device
from webui.devices.vendors import BY_KIND
from webui.engines.base import AnyModel
from webui.errors import Notice
from webui.hosting.host import ModelHost


@dataclass(frozen=True)
class DeviceStatus:
    """`tested`: whether the program was ever run on such hardware; `notes`: per model what was measured on the device,
    or why the model runs on the CPU instead."""

    device: Device
    tested: Notice
    notes: Sequence[Notice]


def device_table(
    host: ModelHost, models: Sequence[AnyModel], found: Sequence[Device] | None = None
) -> list[DeviceStatus]:
    """Every device, given-up ones with the reason; `found`: the devices, where probed before."""
    lost = host.placement.lost()
    rows = []
    for device in devices.probe() if found is None else found:
        if device.kind != "cpu" and device.id in lost:
            device = replace(device, usable=False, problem=lost[device.id])
        rows.append(DeviceStatus(device, Notice(_tested(device)), _notes(host, models, device)))
    return rows


def speed_of(host: ModelHost, model: AnyModel) -> str:
    """What was measured of `model` on the accelerator of this machine, as text; "" where nothing was."""
    kinds = {device.kind for device in devices.probe(load=False) if device.kind != "cpu"}
    found = (host.calibrations.find(model, kind) for kind in sorted(kinds))
    return next((str(speeds) for speeds in found if speeds), "")


def _tested(device: Device) -> str:
    if device.kind == "cpu" and platform.machine() == "x86_64":
        return "TESTED_HARDWARE"
    vendor = BY_KIND.get(device.kind)
    return "TESTED_SIMULATOR" if vendor and vendor.simulated else "UNTESTED"


def _notes(host: ModelHost, models: Sequence[AnyModel], device: Device) -> list[Notice]:
    refused = [refusal for refusal in host.placement.refusals() if refusal.kind == device.kind]
    notes = [refusal.reason() for refusal in refused]
    if device.kind != "cpu":
        for model in models:
            if speeds := host.calibrations.find(model, device.id):
                notes.append(Notice("MEASURED", {"model": model.name, **speeds.figures()}))
    hung = [why for model in models if (why := host.hangs.of(model).get(device.id))]
    return notes + hung
