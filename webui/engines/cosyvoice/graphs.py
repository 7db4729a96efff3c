"""Recordings: work of fixed shapes, kept as one graph of the device and launched by one call instead of hundreds.

Not verified on hardware. So a recording is put on trial beside the same work launched kernel by kernel; who keeps it
decides by the outcome. Does not choose what is recorded, nor hold any state.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Work = Callable[[], torch.Tensor]

WARM_UPS, REPEATS = 3, 5
_ONE_AT_A_TIME = threading.Lock()  # torch allows one recording to be under way in the process


@dataclass(frozen=True)
class Recording:
    """`replay` does the work again and gives its result, always in the same tensor."""

    graph: Any
    result: torch.Tensor

    def replay(self) -> torch.Tensor:
        self.graph.replay()
        return self.result


@dataclass(frozen=True)
class Trial:
    """A recording against the same work launched: largest difference and what is allowed, seconds of each."""

    difference: float
    allowed: float
    replayed: float
    launched: float

    @property
    def passed(self) -> bool:
        """Right and faster; not a number is neither."""
        return self.difference <= self.allowed and self.replayed < self.launched

    def __str__(self) -> str:
        return (
            f"{1000 * self.replayed:.2f} ms replayed, {1000 * self.launched:.2f} ms launched; "
            f"difference {self.difference:.2g}, allowed {self.allowed:.2g}"
        )


def available(device: torch.device) -> bool:
    """Whether torch has graphs for this kind of device: CUDAGraph, NPUGraph, XPUGraph …"""
    return hasattr(torch.get_device_module(device), _graph_class(device))


def record(work: Work, device: torch.device) -> Recording:
    """`work` recorded. It may use tensors that stay where they are, and nothing of the host.

    It is done a few times before, as first uses allocate what a recording must not. Raises whatever the device does.
    """
    module = torch.get_device_module(device)
    graph = getattr(module, _graph_class(device))()
    with _ONE_AT_A_TIME, module.device(device):
        stream = module.Stream()
        stream.wait_stream(module.current_stream())
        with module.stream(stream):
            for _ in range(WARM_UPS):
                work()
        module.current_stream().wait_stream(stream)
        with module.graph(graph, stream=stream, **_tolerant(module)):
            result = work()
    return Recording(graph, result)


def try_out(recording: Recording, launched: Work, device: torch.device, dtype: torch.dtype) -> Trial:
    """The recording against `launched`, the same work kernel by kernel, computed in `dtype`.

    What two orders of summation may differ by is taken as the root of the format's precision, of the largest number.
    """
    expected = launched().float().cpu()
    got = recording.replay().float().cpu()
    return Trial(
        difference=float((got - expected).abs().max()),
        allowed=float(expected.abs().max()) * torch.finfo(dtype).eps ** 0.5,
        replayed=_seconds(recording.replay, device),
        launched=_seconds(launched, device),
    )


def _graph_class(device: torch.device) -> str:
    return f"{device.type.upper()}Graph"


def _tolerant(module: Any) -> dict[str, str]:
    """Where it can be told: work of other threads, on other cards, does not spoil a recording."""
    known = inspect.signature(module.graph).parameters
    return {"capture_error_mode": "thread_local"} if "capture_error_mode" in known else {}


def _seconds(work: Work, device: torch.device) -> float:
    """Of one `work`, waited for at the end of several."""
    wait = torch.get_device_module(device).synchronize
    work()
    wait(device)
    began = time.perf_counter()
    for _ in range(REPEATS):
        work()
    wait(device)
    return (time.perf_counter() - began) / REPEATS
