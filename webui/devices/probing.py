"""The compute devices of this machine: probed, explained, chosen; and torch made ready for them.

Generic code throughout: `torch.accelerator` and `torch.get_device_module`. The vendor table only says which
plug-in to load, what to call the device, and by which files an unusable one is still noticed.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError
from dataclasses import dataclass, field, replace
from functools import cache, partial
from types import ModuleType
from typing import NamedTuple

from webui.devices import driver_probe, machine, vendors
from webui.devices.driver_probe import TimedCall
from webui.devices.vendors import first_line
from webui.errors import Notice, UserError

log = logging.getLogger(__name__)

_LOADING = threading.Lock()


@dataclass(frozen=True)
class Device:
    """`id` is torch's ("cpu", "npu:0"), `kind` its type; memory in bytes, None where nobody knows."""

    id: str
    kind: str
    name: str
    usable: bool = True
    problem: Notice | None = None
    memory_total: int | None = None
    memory_free: int | None = None


class Choice(NamedTuple):
    """A device that works; `why`: the reason where it is another than the one wanted."""

    device: str
    why: Notice | None = None


def load_torch() -> ModuleType:
    """torch, with its vendor plug-ins loaded and broken ones kept out. Raises UserError (TORCH_MISSING, TORCH_BROKEN).

    A torch_npu without CANN makes `import torch` itself fail through torch's autoload, and transformers after it; so
    autoload is off, the plug-in is tried here, and one that fails is hidden from everybody.
    """
    return _load().torch


def probe(load: bool = True) -> list[Device]:
    """All devices, the unusable ones with the reason; the CPU is last and always there.

    Without `load` torch is not imported: what the driver's files and the installed packages let one expect.
    """
    if importlib.util.find_spec("torch") is None:
        return [_cpu(Notice("TORCH_MISSING"))]
    if not load:
        return [*_expected(), _cpu()]
    try:
        loaded = _load()
    except UserError as error:
        return [_cpu(error.notice)]
    if loaded.silenced:
        return [*loaded.silenced, _cpu()]
    working = _accelerators(loaded)
    found = {device.kind for device in working}
    missing = [device for device in _missing(loaded) if device.kind not in found]
    return [*working, *missing, _cpu()]


def resolve(name: str = "auto") -> Choice:
    """The device to compute on: `auto` is the first accelerator that works, else the CPU.

    A kind without a number ("npu") means its first card that works. Raises UserError DEVICE_UNAVAILABLE.
    """
    devices = probe()
    if name == "auto":
        best = next(device for device in devices if device.usable)
        return Choice(best.id, devices[0].problem if best.kind == "cpu" else None)
    named = [device for device in devices if name in (device.id, device.kind)]
    if not named:
        present = ", ".join(device.id for device in devices if device.usable)
        reason = Notice("NO_SUCH_DEVICE", {"present": present})
        raise UserError("DEVICE_UNAVAILABLE", param="device", device=name, reason=reason)
    chosen = next((device for device in named if device.usable), named[0])
    if not chosen.usable:
        assert chosen.problem is not None
        raise UserError("DEVICE_UNAVAILABLE", param="device", device=name, reason=chosen.problem)
    return Choice(chosen.id)


def cards(wanted: str = "auto") -> list[str]:
    """The devices that `wanted` means: every usable card of its kind for `auto` or a kind, else the one named.

    Raises UserError DEVICE_UNAVAILABLE.
    """
    first = resolve(wanted).device
    if first in ("cpu", wanted):
        return [first]
    return [device.id for device in probe() if device.kind == kind_of(first) and device.usable]


def kind_of(device: str) -> str:
    """ "npu:0" → "npu"."""
    return device.split(":")[0]


def free_memory() -> int:
    """Collect garbage and hand cached memory back, on the accelerator and to the system; returns the bytes freed."""
    before = machine.resident()
    gc.collect()
    freed = _empty_cache()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        log.debug("this C library cannot return memory to the system")
    return freed + max(0, before - machine.resident())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine ran out of memory, in torch's, ONNX Runtime's or Python's words."""
    if isinstance(error, MemoryError):
        return True
    if any(base.__name__ == "OutOfMemoryError" for base in type(error).__mro__):
        return True
    words = ("out of memory", "allocate memory", "not enough memory", "_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in words)


@dataclass(frozen=True)
class _Loaded:
    torch: ModuleType
    failures: Mapping[str, str]  # plug-in → what its import said
    untouchable: Mapping[str, Notice] = field(default_factory=dict)  # a card's number → why
    silenced: tuple[Device, ...] = ()  # what was expected of a driver that must not be touched at all


def _load() -> _Loaded:
    """Threads that ask at once get the same answer: of a plug-in that one hides, another would find no trace."""
    with _LOADING:
        return _load_once()


@cache
def _load_once() -> _Loaded:
    if importlib.util.find_spec("torch") is None:
        raise UserError("TORCH_MISSING")
    expected = _expected()
    probe_ = _driver_probe() if any(device.usable for device in expected) else None
    torch = _import_torch()
    untouchable = _untouchable(probe_) if probe_ else {}
    if finding := untouchable.get("driver"):
        _keep_away()
        return _Loaded(torch, {}, silenced=tuple(_silenced(device, finding) for device in expected))
    return replace(_with_plugins(torch), untouchable=untouchable)


def try_driver(passed_over: Sequence[str]) -> None:
    """For a child process: touch what `probe` touches, but for cards `passed_over`, and say each step before it."""
    driver_probe.say("torch")
    torch = _import_torch()
    driver_probe.say("driver")
    loaded = _with_plugins(torch)
    cards = _cards(torch)
    if not cards:
        list(_missing(loaded))
    for card in cards:
        number = card.split(":")[1]
        if number not in passed_over:
            driver_probe.say(number)
            _accelerator(torch, card)
    driver_probe.say(driver_probe.DONE)


def _driver_probe(passed_over: Sequence[str] = ()) -> driver_probe.DriverProbe:
    return driver_probe.DriverProbe(f"from webui import devices; devices.try_driver({list(passed_over)!r})")


def _untouchable(probe_: driver_probe.DriverProbe) -> dict[str, Notice]:
    """ "driver" or a card's number → why: what a child did not come back from, each time another going on behind it."""
    found: dict[str, Notice] = {}
    while True:
        step, finding = probe_.steps()
        if finding is None or step in ("", "torch"):
            return found
        log.error("%s: %s %s", f"card {step}" if step.isdigit() else step, finding.code, finding.params)
        found[step] = finding
        if not step.isdigit():
            return found
        probe_ = _driver_probe(list(found))


def _keep_away() -> None:
    """Let nothing in this process touch a driver that does not answer: other libraries look for cards too."""
    os.environ.update({vendor.hide: "" for vendor in vendors.VENDORS if vendor.hide})
    for plugin in filter(importlib.util.find_spec, vendors.PLUGINS):
        sys.modules[plugin] = None  # type: ignore[assignment]


def _import_torch() -> ModuleType:
    """Raises UserError TORCH_BROKEN."""
    os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
    try:
        return importlib.import_module("torch")
    except Exception as error:
        raise UserError("TORCH_BROKEN", detail=first_line(error)) from error


def _with_plugins(torch: ModuleType) -> _Loaded:
    wanted = [*vendors.PLUGINS, "torchaudio"]
    failures = {name: failure for name in wanted if (failure := _import_or_hide(name))}
    for vendor in vendors.VENDORS:
        if vendor.plugin not in failures:
            vendor.prepare(torch)
    return _Loaded(torch, failures)


def _import_or_hide(name: str) -> str:
    """ "" where the module is absent or sound; else what its import said, and it is as if not installed."""
    if importlib.util.find_spec(name) is None:
        return ""
    try:
        importlib.import_module(name)
    except Exception as error:  # a missing library is ImportError, OSError or RuntimeError, as it likes
        log.warning("%s is installed but does not load: %s", name, first_line(error))
        for module in [module for module in sys.modules if module.split(".")[0] == name]:
            del sys.modules[module]
        sys.modules[name] = None  # type: ignore[assignment]
        return first_line(error)
    return ""


def _cards(torch: ModuleType) -> list[str]:
    if not torch.accelerator.is_available():
        return []
    kind = torch.accelerator.current_accelerator().type
    return [f"{kind}:{index}" for index in range(torch.accelerator.device_count())]


def _accelerators(loaded: _Loaded) -> list[Device]:
    torch = loaded.torch
    return [_answering(torch, card, loaded.untouchable.get(card.split(":")[1])) for card in _cards(torch)]


def _answering(torch: ModuleType, card: str, finding: Notice | None) -> Device:
    """The card as it is now, or `finding` where it must not be touched, or that it does not answer."""
    if finding is None:
        try:
            return _timed_call(torch, card).ask(driver_probe.ANSWER_S)
        except TimeoutError:
            finding = driver_probe.silent(driver_probe.ANSWER_S)
    kind = kind_of(card)
    return _silenced(Device(card, kind, vendors.LABELS.get(kind, card)), finding)


@cache
def _timed_call(torch: ModuleType, card: str) -> TimedCall[Device]:
    return TimedCall(partial(_accelerator, torch, card))


def _silenced(device: Device, finding: Notice) -> Device:
    """`device`, if it might be usable otherwise, with what was found."""
    return replace(device, usable=False, problem=finding) if device.usable else device


def _accelerator(torch: ModuleType, device: str) -> Device:
    failure = _smoke_test(torch, device)
    free, total = (None, None) if failure else _memory(torch, device)
    return Device(
        id=device,
        kind=kind_of(device),
        name=_name(torch, device),
        usable=not failure,
        problem=Notice("DEVICE_FAILS", {"detail": failure}) if failure else None,
        memory_total=total,
        memory_free=free,
    )


@cache
def _smoke_test(torch: ModuleType, device: str) -> str:
    """ "" where a matrix product and a convolution come out as on the CPU, else what went wrong. Once per process."""
    try:
        x = torch.linspace(-1, 1, 64).reshape(8, 8)
        there = x.to(device)
        product = (there @ there).cpu()
        convolved = torch.nn.functional.conv1d(there[None], there[:, :, None]).cpu()
        expected = torch.nn.functional.conv1d(x[None], x[:, :, None])
        if not torch.allclose(product, x @ x, atol=1e-2) or not torch.allclose(convolved, expected, atol=1e-2):
            return "wrong results"
    except Exception as error:
        return first_line(error)
    return ""


def _name(torch: ModuleType, device: str) -> str:
    try:
        return str(torch.get_device_module(device).get_device_name(device))
    except Exception:  # MPS has no name, and a sick card may refuse to tell
        return vendors.LABELS.get(device.split(":")[0], device)


def _memory(torch: ModuleType, device: str) -> tuple[int | None, int | None]:
    try:
        free, total = torch.get_device_module(device).mem_get_info(device)
    except Exception:
        return None, None
    return int(free), int(total)


def _missing(loaded: _Loaded) -> Iterator[Device]:
    """What is there by its files or its plug-in, but not in torch."""
    for vendor in vendors.VENDORS:
        problem = vendors.why_missing(vendor, loaded.torch, loaded.failures)
        if problem is not None:
            yield Device(f"{vendor.kind}:0", vendor.kind, vendor.label, usable=False, problem=problem)


def _expected() -> list[Device]:
    """What driver files and installed packages promise, without importing torch."""
    return [
        Device(f"{vendor.kind}:0", vendor.kind, vendor.label, problem is None, problem)
        for vendor, problem in vendors.expected()
    ]


def _cpu(problem: Notice | None = None) -> Device:
    """The CPU always works: `problem` says what of torch is amiss; the basic engine does without."""
    free, total = machine.memory()
    return Device("cpu", "cpu", machine.processor(), True, problem, total, free)


def _empty_cache() -> int:
    """Bytes that the accelerators of an already loaded torch handed back."""
    if "torch" not in sys.modules or (loaded := _load()).silenced:
        return 0
    before = _accelerators(loaded)
    if not before:
        return 0
    loaded.torch.get_device_module(before[0].kind).empty_cache()
    return max(0, _free(_accelerators(loaded)) - _free(before))


def _free(cards: Sequence[Device]) -> int:
    return sum(card.memory_free or 0 for card in cards)
