"""A stand-in for a device's graphs: it keeps the operators that are captured, and replays them on the same tensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Graph(TorchDispatchMode):
    """What was no tensor at a fixed place when captured stays as it was then, as on a device."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.replays = 0
        self.stream: Any = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        self.replays += 1
        for func, args, kwargs, result in self.calls:
            for old, new in zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Refusing(Graph):
    def __enter__(self) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")


class Wrong(Graph):
    def replay(self) -> None:
        super().replay()
        self.calls[-1][3].mul_(0.5)


class Nan(Graph):
    def replay(self) -> None:
        super().replay()
        self.calls[-1][3].fill_(torch.nan)


class Slow(Graph):
    def replay(self) -> None:
        super().replay()
        time.sleep(0.05)


def install(put: Callable[[Any, str, Any], object], module: ModuleType, kind: type[Graph] = Graph) -> list[Graph]:
    """Gives the device of `module` (torch.cpu, torch.npu) graphs, by `put` = setattr; the list gets those made."""
    made: list[Graph] = []

    def make() -> Graph:
        made.append(kind())
        return made[-1]

    put(module, f"{module.__name__.rpartition('.')[2].upper()}Graph", make)
    put(module, "graph", partial(_graph, module))
    for context in ("device", "stream"):  # torch.cpu lacks the one, the simulated torch.npu the other
        if not hasattr(module, context):
            put(module, context, lambda _where: nullcontext())
    return made


@contextmanager
def _graph(
    module: ModuleType, captured: Graph, stream: Any = None, capture_error_mode: str = "global"
) -> Iterator[None]:
    """As torch's: where capturing fails, the stream that it was made in stays the current one."""
    assert capture_error_mode == "thread_local"
    captured.stream = stream
    chosen = module.stream(stream)
    chosen.__enter__()
    with captured:
        yield
    chosen.__exit__(None, None, None)
