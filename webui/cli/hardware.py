"""The devices for a quick answer: torch, which takes longest, is not imported where its files tell enough."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import runpy
from pathlib import Path

from webui import devices
from webui.devices import Device


def probe() -> list[Device]:
    """As `devices.probe`."""
    return devices.probe(load=not cpu_build())


def cpu_build() -> str:
    """The version of a sound torch for which there is nothing but the CPU; "" where only its import can tell.

    Nothing else: it was built for no accelerator, and neither a driver's files nor a plug-in promise one. Sound: what
    it requires is installed, and its native libraries load.
    """
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None or len(devices.probe(load=False)) > 1:
        return ""
    folder = Path(spec.origin).parent
    try:
        build = runpy.run_path(str(folder / "version.py"))
        if any(build.get(kind) for kind in ("cuda", "hip", "xpu")) or not _has_what_it_requires():
            return ""
        ctypes.CDLL(str(folder / "lib" / "libtorch_python.so"))
    except Exception:
        return ""
    return str(build["__version__"])


def _has_what_it_requires() -> bool:
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in importlib.metadata.requires("torch") or []]
    try:
        for package in wanted:
            if package.marker is None or package.marker.evaluate({"extra": ""}):
                importlib.metadata.version(package.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
