"""The makers of accelerators: which plug-in brings each into torch, by which files its driver shows, what is missing.

Nothing here imports torch.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from webui.errors import Notice

DEV = Path("/dev")


@dataclass(frozen=True)
class Vendor:
    kind: str
    label: str
    plugin: str = ""  # the module that brings the device into torch, where torch lacks it
    nodes: str = ""  # its driver's files under /dev


# In the order in which `auto` prefers them. "xpu" is Intel's in PyTorch; Hygon and MetaX appear as "cuda".
VENDORS = (
    Vendor("npu", "Ascend NPU", "torch_npu", "davinci[0-9]*"),
    Vendor("cuda", "GPU", "", "nvidia[0-9]*"),
    Vendor("xpu", "Intel GPU"),
    Vendor("mlu", "Cambricon MLU", "torch_mlu", "cambricon_dev[0-9]*"),
    Vendor("mps", "Apple GPU"),
)
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
