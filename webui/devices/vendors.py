"""The vendors of accelerators: a row for each kind says all that is particular to it, and what of it is missing.

Nothing here imports torch.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from webui.errors import Notice

DEV = Path("/dev")


def _nothing_to_set(_torch: ModuleType) -> None:
    """Most devices compute as torch finds them."""


def _plan_once(torch: ModuleType) -> None:
    torch.backends.cuda.enable_cudnn_sdp(False)  # on Hopper it plans anew for each length, 0.06 to 1 s (FunASR#3704)


def _compile_never(torch: ModuleType) -> None:
    if hasattr(torch, "npu") and hasattr(torch.npu, "set_compile_mode"):
        torch.npu.set_compile_mode(jit_compile=False)  # with JIT every new shape compiles


@dataclass(frozen=True)
class Vendor:
    """A kind of accelerator: all that the program knows of it in particular.

    `faults`, `refusals`: regular expressions for what its errors say where the device fails, and where an operator
    does not take a type or a shape.
    """

    kind: str
    label: str
    plugin: str = ""  # the module that brings the device into torch, where torch lacks it
    nodes: str = ""  # its driver's files under /dev
    driver_files: tuple[str, ...] = ()  # that name the driver's version
    hide: str = ""  # the environment variable that, empty, hides its cards from every library
    prepare: Callable[[ModuleType], None] = _nothing_to_set  # once, when torch and the plug-in are loaded
    faults: str = ""
    refusals: str = ""
    half: bool = True  # computes in half precision
    simulated: bool = False  # the program was run on a simulator of it


# In the order in which `auto` prefers them. "xpu" is Intel's in PyTorch; Hygon and MetaX appear as "cuda".
VENDORS = (
    Vendor(
        "npu",
        "Ascend NPU",
        plugin="torch_npu",
        nodes="davinci[0-9]*",
        driver_files=(
            "/usr/local/Ascend/driver/version.info",
            "/usr/local/Ascend/ascend-toolkit/latest/version.cfg",
        ),
        prepare=_compile_never,
        faults=r"\b507\d{3}\b|\bERR\d{5}\b|\bE[EZ]\d{4}\b|\bNPU(?: \w+)? error\b",
        refusals=r"\bE[EZ](?:1001|3002)\b|\bE[EZ]9999\b.*not support",  # CANN: type or shape, unknown operator
        simulated=True,
    ),
    Vendor(
        "cuda",
        "GPU",
        nodes="nvidia[0-9]*",
        driver_files=("/proc/driver/nvidia/version",),
        hide="CUDA_VISIBLE_DEVICES",
        prepare=_plan_once,
        faults=r"\b(?:CUDA|HIP|cuDNN)(?: \w+)? error\b|\bCUBLAS_STATUS_\w+|device-side assert",
    ),
    Vendor("xpu", "Intel GPU", faults=r"\bXPU(?: \w+)? error\b"),
    Vendor(
        "mlu",
        "Cambricon MLU",
        plugin="torch_mlu",
        nodes="cambricon_dev[0-9]*",
        faults=r"\b(?:MLU|CNRT)(?: \w+)? error\b",
    ),
    Vendor("mps", "Apple GPU", faults=r"\bMPS(?: \w+)? error\b", half=False),
)
BY_KIND = {vendor.kind: vendor for vendor in VENDORS}
LABELS = {vendor.kind: vendor.label for vendor in VENDORS}
PLUGINS = tuple(vendor.plugin for vendor in VENDORS if vendor.plugin)


def expected() -> Iterator[tuple[Vendor, Notice | None]]:
    """What driver files and installed packages promise, without importing torch; a reason where that is not enough."""
    for vendor in VENDORS:
        node, package = _node(vendor), vendor.plugin or "torch"
        if node or _comes_with_packages(vendor):
            installed = _is_installed(package)
            yield vendor, None if installed else Notice("PLUGIN_MISSING", {"package": package, "node": node})


def why_missing(vendor: Vendor, torch: ModuleType, failures: Mapping[str, str]) -> Notice | None:
    """Why it is there by its files or its plug-in, but not in torch; None where it is not there at all.

    `failures`: plug-in → what its import said.
    """
    node = _node(vendor)
    if vendor.plugin in failures:
        return _plugin_failure(vendor, torch, failures[vendor.plugin])
    if vendor.plugin and sys.modules.get(vendor.plugin):
        return Notice("NO_CARD", {"package": vendor.plugin, "label": vendor.label})
    if node and vendor.plugin:
        return Notice("PLUGIN_MISSING", {"package": vendor.plugin, "node": node})
    if node and vendor.kind == "cuda":
        return _why_no_cuda(torch, node)
    return None


def first_line(error: BaseException) -> str:
    """What it says, short enough for a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _plugin_failure(vendor: Vendor, torch: ModuleType, detail: str) -> Notice:
    library = re.search(r"[\w.+-]+\.so[\w.]*", detail)
    if torch.version.cuda and "Two accelerators" in detail:
        return Notice("TORCH_IS_CUDA", {"package": vendor.plugin})
    if vendor.kind == "npu" and library:
        return Notice("NPU_NO_CANN", {"library": library[0]})
    return Notice("PLUGIN_FAILED", {"package": vendor.plugin, "detail": detail})


def _why_no_cuda(torch: ModuleType, node: str) -> Notice:
    if not torch.version.cuda and not torch.version.hip:
        return Notice("TORCH_IS_CPU", {"node": node})
    try:
        torch.cuda.init()
    except Exception as error:
        return Notice("DEVICE_FAILS", {"detail": first_line(error)})
    return Notice("NO_CARD", {"package": "torch", "label": "GPU"})


def _node(vendor: Vendor) -> str:
    """The first of the driver's files, "" where there is none."""
    return next((str(path) for path in sorted(DEV.glob(vendor.nodes))), "") if vendor.nodes else ""


def _comes_with_packages(vendor: Vendor) -> bool:
    """Whether what is installed was made for this vendor's devices: a plug-in, Intel's torch, torch on a Mac."""
    if vendor.plugin:
        return _is_installed(vendor.plugin)
    if vendor.kind == "xpu":
        return "+xpu" in importlib.metadata.version("torch")
    return vendor.kind == "mps" and sys.platform == "darwin"


def _is_installed(package: str) -> bool:
    """Also one that is hidden from everybody since it does not load."""
    return package in sys.modules or importlib.util.find_spec(package) is not None
