"""Device graphs (CUDA graphs and their like): work of fixed shapes, launched by one call instead of hundreds.

Not verified on hardware. So a graph is put on trial beside the same work done eagerly; who keeps it decides by the
outcome. Does not choose what is captured, nor hold any state.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

Work = Callable[[], torch.Tensor]

WARM_UPS, REPEATS = 3, 5
_ONE_AT_A_TIME = threading.Lock()  # torch allows one capture to be under way in the process


@dataclass(frozen=True)
class CapturedGraph:
    """`replay` does the work again and gives its result, always in the same tensor."""

    graph: Any
    result: torch.Tensor

    def replay(self) -> torch.Tensor:
        self.graph.replay()
        return self.result


@dataclass(frozen=True)
class Trial:
    """A graph against the same work done eagerly: largest difference and what is allowed, seconds of each."""

    difference: float
    allowed: float
    replayed: float
    eager: float

    @property
    def passed(self) -> bool:
        """Right and faster; not a number is neither."""
        return self.difference <= self.allowed and self.replayed < self.eager

    def __str__(self) -> str:
        return (
            f"{1000 * self.replayed:.2f} ms replayed, {1000 * self.eager:.2f} ms eager; "
            f"difference {self.difference:.2g}, allowed {self.allowed:.2g}"
        )


def available(device: torch.device) -> bool:
    """Whether torch has graphs for this kind of device: CUDAGraph, NPUGraph, XPUGraph …"""
    return hasattr(torch.get_device_module(device), _graph_class(device))


def capture(work: Work, device: torch.device) -> CapturedGraph:
    """`work` captured. It may use tensors that stay where they are, and nothing of the host.

    It is done a few times before, as first uses allocate what a capture must not. Raises whatever the device does;
    the thread goes on in the stream that it was in, which torch's own context does not see to after a failure.
    """
    module = torch.get_device_module(device)
    graph = getattr(module, _graph_class(device))()
    with _ONE_AT_A_TIME, module.device(device):
        stream = _stream(device)
        stream.wait_stream(module.current_stream())
        with module.stream(stream):
            for _ in range(WARM_UPS):
                work()
            with module.graph(graph, stream=stream, **_tolerant(module)):
                result = work()
        module.current_stream().wait_stream(stream)
    return CapturedGraph(graph, result)


def try_out(captured: CapturedGraph, eager: Work, dtype: torch.dtype) -> Trial:
    """The graph against `eager`, the same work done eagerly, both computed in `dtype`.

    What two orders of summation may differ by is taken as the root of the format's precision, of the largest number.
    """
    expected = eager().float().cpu()
    got = captured.replay().float().cpu()
    return Trial(
        difference=float((got - expected).abs().max()),
        allowed=float(expected.abs().max()) * torch.finfo(dtype).eps ** 0.5,
        replayed=_seconds(captured.replay),
        eager=_seconds(eager),
    )


def _graph_class(device: torch.device) -> str:
    return f"{device.type.upper()}Graph"


@cache
def _stream(device: torch.device) -> Any:
    """The one in which all captures on a device are made: cuBLAS keeps up to 32 MB for each that it saw."""
    return torch.get_device_module(device).Stream()


def _tolerant(module: Any) -> dict[str, str]:
    """Where it can be told: work of other threads, on other cards, does not spoil a capture."""
    known = inspect.signature(module.graph).parameters
    return {"capture_error_mode": "thread_local"} if "capture_error_mode" in known else {}


def _seconds(work: Work) -> float:
    """Of one `work`, waited for at the end of several, by its result: to wait for a whole device, as `synchronize`
    does, spoils what another thread captures there meanwhile.
    """
    work().cpu()
    began = time.perf_counter()
    for _ in range(REPEATS):
        result = work()
    result.cpu()
    return (time.perf_counter() - began) / REPEATS
