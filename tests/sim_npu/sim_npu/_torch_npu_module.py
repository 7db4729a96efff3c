"""The `torch.npu` module: the part of torch_npu's Python surface that applications use."""

from __future__ import annotations

import types
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import torch

Properties = namedtuple("Properties", "name total_memory")
_NAMES = {"npu": "Ascend910B4 (simulated)"}
_MOST_CARDS = 16


def make(name: str = "npu") -> types.ModuleType:
    """The module `torch.<name>` for the registered device."""
    module = types.ModuleType(f"torch.{name}")
    surface = {"__simulated__": True, **_state(), **_memory(), **_names(name), **_random(), **_streams(name)}
    for key, value in surface.items():
        setattr(module, key, value)
    return module


def _index(device: Any = None) -> int:
    name = torch._C._get_privateuse1_backend_name()
    if device is None:
        return torch.accelerator.current_device_index()
    if isinstance(device, int):
        return device
    device = torch.device(device)
    if device.type != name:
        raise ValueError(f"Expected a {name} device, but got: {device}")
    return torch.accelerator.current_device_index() if device.index is None else device.index


def _valid(device: Any = None) -> int:
    index = _index(device)
    if not 0 <= index < torch.ops.sim_npu.count():
        raise AssertionError("Invalid device id")
    return index


class _Device:
    """Context manager: the current card."""

    def __init__(self, device: Any) -> None:
        self.idx = _index(device)

    def __enter__(self) -> None:
        self.previous = torch.accelerator.current_device_index()
        torch.accelerator.set_device_index(self.idx)

    def __exit__(self, *_exception: object) -> None:
        torch.accelerator.set_device_index(self.previous)


def _state() -> dict[str, Any]:
    ops = torch.ops.sim_npu
    compile_mode = {"jit_compile": False}
    return {
        "is_available": lambda: ops.count() > 0,
        "device_count": lambda: ops.count(),
        "current_device": lambda: torch.accelerator.current_device_index(),
        "set_device": lambda device: torch.accelerator.set_device_index(_index(device)),
        "device": _Device,
        "is_initialized": lambda: True,
        "init": lambda: None,
        "_lazy_init": lambda: None,
        "_is_in_bad_fork": lambda: False,
        "synchronize": lambda device=None: None,
        "set_compile_mode": lambda jit_compile=False: compile_mode.update(jit_compile=jit_compile),
        "is_jit_compile_false": lambda: not compile_mode["jit_compile"],
    }


def _memory() -> dict[str, Any]:
    ops = torch.ops.sim_npu

    def statistic(position: int) -> Callable[..., int]:
        return lambda device=None: ops.stats(_valid(device))[position]

    def mem_get_info(device: Any = None) -> tuple[int, int]:
        _, _, reserved, _, total, _ = ops.stats(_valid(device))
        return total - reserved, total

    return {
        "empty_cache": lambda: ops.empty_cache(),
        "mem_get_info": mem_get_info,
        "memory_allocated": statistic(0),
        "max_memory_allocated": statistic(1),
        "memory_reserved": statistic(2),
        "max_memory_reserved": statistic(3),
        "reset_peak_memory_stats": lambda device=None: ops.reset_peak(_valid(device)),
    }


def _names(name: str) -> dict[str, Any]:
    label = _NAMES.get(name, f"{name} (simulated)")

    def get_device_name(device: Any = None) -> str:
        _valid(device)
        return label

    return {
        "get_device_name": get_device_name,
        "get_device_properties": lambda device=None: Properties(label, torch.ops.sim_npu.stats(_valid(device))[4]),
        "get_device_capability": lambda device=None: None,
        "is_bf16_supported": lambda: True,
        "get_amp_supported_dtype": lambda: [torch.float16, torch.bfloat16],
    }


def _random() -> dict[str, Any]:
    ops = torch.ops.sim_npu

    def manual_seed_all(seed: int) -> None:
        for card in range(_MOST_CARDS):
            ops.seed(card, int(seed))

    return {
        "manual_seed": lambda seed: ops.seed(torch.accelerator.current_device_index(), int(seed)),
        "manual_seed_all": manual_seed_all,
    }


def _streams(name: str) -> dict[str, Any]:
    class Stream(torch.Stream):
        def __new__(cls, device: Any = None, **options: Any) -> torch.Stream:
            return torch.Stream(torch.device(name, _index(device)), **options)

    class Event(torch.Event):
        def __new__(cls, enable_timing: bool = False, **_options: Any) -> torch.Event:
            return torch.Event(name, enable_timing=enable_timing)

    def current_stream(device: Any = None) -> torch.Stream:
        return torch.accelerator.current_stream(torch.device(name, _index(device)))

    return {"Stream": Stream, "Event": Event, "current_stream": current_stream, "default_stream": current_stream}
