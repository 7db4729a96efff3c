"""The compute devices of this machine: probed, explained, chosen; and the only door to torch.

Generic code throughout: `torch.accelerator` and `torch.get_device_module`. The vendor table only says which
plug-in to load, what to call the device, and by which files an unusable one is still noticed.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from webui.errors import UserError, word

log = logging.getLogger(__name__)

DEV = Path("/dev")
_LOADING = threading.Lock()


@dataclass(frozen=True)
class Reason:
    """Why a device cannot be used: a code of errors.toml and what fills its wording."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        return {"code": self.code, "params": dict(self.params)}


@dataclass(frozen=True)
class Device:
    """`id` is torch's ("cpu", "npu:0"), `kind` its type; memory in bytes, None where nobody knows."""

    id: str
    kind: str
    name: str
    usable: bool = True
    problem: Reason | None = None
    memory_total: int | None = None
    memory_free: int | None = None

    def worded(self, language: str) -> dict[str, Any]:
        """The device as the outside sees it; `reason` and `hint` are empty where nothing is wrong."""
        wording = word(self.problem.code, self.problem.params, language) if self.problem else None
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "usable": self.usable,
            "reason": wording.message if wording else "",
            "hint": wording.hint if wording else "",
            "memory_total": self.memory_total,
            "memory_free": self.memory_free,
        }


class Choice(NamedTuple):
    """A device that works; `why`: the reason where it is another than the one wanted."""

    device: str
    why: Reason | None = None


@dataclass(frozen=True)
class _Vendor:
    kind: str
    label: str
    plugin: str = ""  # the module that brings the device into torch, where torch lacks it
    nodes: str = ""  # its driver's files under /dev


# In the order in which `auto` prefers them. "xpu" is Intel's in PyTorch; Hygon and MetaX appear as "cuda".
_VENDORS = (
    _Vendor("npu", "Ascend NPU", "torch_npu", "davinci[0-9]*"),
    _Vendor("cuda", "GPU", "", "nvidia[0-9]*"),
    _Vendor("xpu", "Intel GPU"),
    _Vendor("mlu", "Cambricon MLU", "torch_mlu", "cambricon_dev[0-9]*"),
    _Vendor("mps", "Apple GPU"),
)
_LABELS = {vendor.kind: vendor.label for vendor in _VENDORS}


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
        return [_cpu(Reason("TORCH_MISSING"))]
    if not load:
        return [*_expected(), _cpu()]
    try:
        loaded = _load()
    except UserError as error:
        return [_cpu(Reason(error.code, error.params))]
    working = _accelerators(loaded.torch)
    found = {device.kind for device in working}
    missing = [device for vendor in _VENDORS if vendor.kind not in found for device in _missing(vendor, loaded)]
    return [*working, *missing, _cpu()]


def resolve(name: str = "auto") -> Choice:
    """The device to compute on: `auto` is the first accelerator that works, else the CPU.

    A kind without a number ("npu") means its first card. Raises UserError DEVICE_UNAVAILABLE.
    """
    devices = probe()
    if name == "auto":
        best = next(device for device in devices if device.usable)
        return Choice(best.id, devices[0].problem if best.kind == "cpu" else None)
    chosen = next((device for device in devices if name in (device.id, device.kind)), None)
    if chosen is None:
        present = ", ".join(device.id for device in devices if device.usable)
        reason = Reason("NO_SUCH_DEVICE", {"present": present})
        raise UserError("DEVICE_UNAVAILABLE", param="device", device=name, reason=reason.stored())
    if not chosen.usable:
        assert chosen.problem is not None
        raise UserError("DEVICE_UNAVAILABLE", param="device", device=name, reason=chosen.problem.stored())
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
    before = _resident()
    gc.collect()
    freed = _empty_cache()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        log.debug("this C library cannot return memory to the system")
    return freed + max(0, before - _resident())


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


def _load() -> _Loaded:
    """Threads that ask at once get the same answer: of a plug-in that one hides, another would find no trace."""
    with _LOADING:
        return _load_once()


@cache
def _load_once() -> _Loaded:
    if importlib.util.find_spec("torch") is None:
        raise UserError("TORCH_MISSING")
    os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
    try:
        torch = importlib.import_module("torch")
    except Exception as error:
        raise UserError("TORCH_BROKEN", detail=_first_line(error)) from error
    wanted = [vendor.plugin for vendor in _VENDORS if vendor.plugin] + ["torchaudio"]
    failures = {name: failure for name in wanted if (failure := _import_or_hide(name))}
    torch.backends.cuda.enable_cudnn_sdp(False)  # on Hopper it plans anew for each length, 0.06 to 1 s (FunASR#3704)
    if "npu" not in failures and hasattr(torch, "npu") and hasattr(torch.npu, "set_compile_mode"):
        torch.npu.set_compile_mode(jit_compile=False)  # with JIT every new shape compiles
    return _Loaded(torch, failures)


def _import_or_hide(name: str) -> str:
    """ "" where the module is absent or sound; else what its import said, and it is as if not installed."""
    if importlib.util.find_spec(name) is None:
        return ""
    try:
        importlib.import_module(name)
    except Exception as error:  # a missing library is ImportError, OSError or RuntimeError, as it likes
        log.warning("%s is installed but does not load: %s", name, _first_line(error))
        for module in [module for module in sys.modules if module.split(".")[0] == name]:
            del sys.modules[module]
        sys.modules[name] = None  # type: ignore[assignment]
        return _first_line(error)
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _accelerators(torch: ModuleType) -> list[Device]:
    if not torch.accelerator.is_available():
        return []
    kind = torch.accelerator.current_accelerator().type
    return [_accelerator(torch, kind, index) for index in range(torch.accelerator.device_count())]


def _accelerator(torch: ModuleType, kind: str, index: int) -> Device:
    device = f"{kind}:{index}"
    failure = _smoke_test(device)
    free, total = (None, None) if failure else _memory(torch, device)
    return Device(
        id=device,
        kind=kind,
        name=_name(torch, device),
        usable=not failure,
        problem=Reason("DEVICE_FAILS", {"detail": failure}) if failure else None,
        memory_total=total,
        memory_free=free,
    )


@cache
def _smoke_test(device: str) -> str:
    """ "" where a matrix product and a convolution come out as on the CPU, else what went wrong. Once per process."""
    torch = load_torch()
    try:
        x = torch.linspace(-1, 1, 64).reshape(8, 8)
        there = x.to(device)
        product = (there @ there).cpu()
        convolved = torch.nn.functional.conv1d(there[None], there[:, :, None]).cpu()
        expected = torch.nn.functional.conv1d(x[None], x[:, :, None])
        if not torch.allclose(product, x @ x, atol=1e-2) or not torch.allclose(convolved, expected, atol=1e-2):
            return "wrong results"
    except Exception as error:
        return _first_line(error)
    return ""


def _name(torch: ModuleType, device: str) -> str:
    try:
        return str(torch.get_device_module(device).get_device_name(device))
    except Exception:  # MPS has no name, and a sick card may refuse to tell
        return _LABELS.get(device.split(":")[0], device)


def _memory(torch: ModuleType, device: str) -> tuple[int | None, int | None]:
    try:
        free, total = torch.get_device_module(device).mem_get_info(device)
    except Exception:
        return None, None
    return int(free), int(total)


def _missing(vendor: _Vendor, loaded: _Loaded) -> list[Device]:
    """What is there by its files or its plug-in, but not in torch."""
    problem = _why_missing(vendor, loaded)
    return [Device(f"{vendor.kind}:0", vendor.kind, vendor.label, usable=False, problem=problem)] if problem else []


def _why_missing(vendor: _Vendor, loaded: _Loaded) -> Reason | None:
    node = _node(vendor)
    if vendor.plugin in loaded.failures:
        return _plugin_failure(vendor, loaded)
    if vendor.plugin and sys.modules.get(vendor.plugin):
        return Reason("NO_CARD", {"package": vendor.plugin, "label": vendor.label})
    if node and vendor.plugin:
        return Reason("PLUGIN_MISSING", {"package": vendor.plugin, "node": node})
    if node and vendor.kind == "cuda":
        return _why_no_cuda(loaded.torch, node)
    return None


def _plugin_failure(vendor: _Vendor, loaded: _Loaded) -> Reason:
    detail = loaded.failures[vendor.plugin]
    library = re.search(r"[\w.+-]+\.so[\w.]*", detail)
    if loaded.torch.version.cuda and "Two accelerators" in detail:
        return Reason("TORCH_IS_CUDA", {"package": vendor.plugin})
    if vendor.kind == "npu" and library:
        return Reason("NPU_NO_CANN", {"library": library[0]})
    return Reason("PLUGIN_FAILED", {"package": vendor.plugin, "detail": detail})


def _why_no_cuda(torch: ModuleType, node: str) -> Reason:
    if not torch.version.cuda and not torch.version.hip:
        return Reason("TORCH_IS_CPU", {"node": node})
    try:
        torch.cuda.init()
    except Exception as error:
        return Reason("DEVICE_FAILS", {"detail": _first_line(error)})
    return Reason("NO_CARD", {"package": "torch", "label": "GPU"})


def _node(vendor: _Vendor) -> str:
    """The first of the driver's files, "" where there is none."""
    return next((str(path) for path in sorted(DEV.glob(vendor.nodes))), "") if vendor.nodes else ""


def _expected() -> list[Device]:
    """What driver files and installed packages promise, without importing torch."""
    devices = []
    for vendor in _VENDORS:
        node, package = _node(vendor), vendor.plugin or "torch"
        installed = importlib.util.find_spec(package) is not None
        if node or _comes_with_packages(vendor):
            problem = None if installed else Reason("PLUGIN_MISSING", {"package": package, "node": node})
            devices.append(Device(f"{vendor.kind}:0", vendor.kind, vendor.label, installed, problem))
    return devices


def _comes_with_packages(vendor: _Vendor) -> bool:
    """Whether what is installed was made for this vendor's devices: a plug-in, Intel's torch, torch on a Mac."""
    if vendor.plugin:
        return importlib.util.find_spec(vendor.plugin) is not None
    if vendor.kind == "xpu":
        return "+xpu" in importlib.metadata.version("torch")
    return vendor.kind == "mps" and sys.platform == "darwin"


def _cpu(problem: Reason | None = None) -> Device:
    """The CPU always works: `problem` says what of torch is amiss; the basic engine does without."""
    free, total = _machine_memory()
    return Device("cpu", "cpu", _processor(), True, problem, total, free)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()} × {os.cpu_count()}"


def _machine_memory() -> tuple[int | None, int | None]:
    """(available, total) bytes of the machine (Linux)."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None, None
    kib = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    return kib["MemAvailable"] * 1024, kib["MemTotal"] * 1024


def _resident() -> int:
    """Bytes of physical memory in use by this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _empty_cache() -> int:
    """Bytes that the accelerators of an already loaded torch handed back."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.accelerator.is_available():
        return 0
    kind = torch.accelerator.current_accelerator().type
    cards = [f"{kind}:{index}" for index in range(torch.accelerator.device_count())]
    before = sum(_memory(torch, card)[0] or 0 for card in cards)
    torch.get_device_module(kind).empty_cache()
    return max(0, sum(_memory(torch, card)[0] or 0 for card in cards) - before)
