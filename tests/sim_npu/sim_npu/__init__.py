"""A pretend Ascend NPU: PyTorch sees a device "npu" that computes on the CPU.

    import sim_npu
    sim_npu.install()                       # once per process, before the first use of "npu"
    sim_npu.reset(devices=2, memory_mb=64)  # a machine with two small cards
    model.to("npu:0")

README.md says what is and is not faithful to real hardware.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from . import _build, _torch_npu_module

__all__ = [
    "cpu_fallbacks",
    "fail",
    "install",
    "installed",
    "oom_after",
    "out_of_memory",
    "require_ops",
    "reset",
    "trace",
    "unsupported",
]

_OPS_FILE = Path(__file__).with_name("ops_torch_npu_2.13.0.txt")
_COMPOSITE = ("CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")

# Operators that every backend supplies as views or copies, whatever the list says.
_PLUMBING = frozenset(
    "as_strided view _reshape_alias unfold _local_scalar_dense view_as_real alias convolution_overrideable "
    "convolution_backward_overrideable _to_copy".split()
)


def installed(name: str = "npu") -> bool:
    return getattr(getattr(torch, name, None), "__simulated__", False)


def install(devices: int = 1, memory_mb: int = 8192, fake_torch_npu: bool = True, name: str = "npu") -> None:
    """Register the device. With fake_torch_npu, `import torch_npu` also succeeds from now on.

    Another name ("mlu") gives the device of another vendor's plug-in. PyTorch has room for one per process.
    """
    if not installed(name):
        _register(name)
    if fake_torch_npu and name == "npu" and "torch_npu" not in sys.modules:
        _pretend_torch_npu()
    reset(devices, memory_mb)


def reset(devices: int = 1, memory_mb: int = 8192) -> None:
    """A fresh machine: forgets rules, injected failures, traces and peaks. Live tensors stay."""
    torch.ops.sim_npu.configure(devices, memory_mb << 20)
    if devices:
        torch.accelerator.set_device_index(0)


def unsupported(op: str, *, dtype: torch.dtype | None = None, on_cpu: bool = False) -> None:
    """From now on the NPU lacks this operator ("aten::_fft_r2c", with an overload "aten::add.Tensor").

    It raises NotImplementedError, as torch_npu does under TORCH_NPU_FALLBACK_CPU_DISABLE=1; with on_cpu it warns
    once and runs on the CPU, which is torch_npu's default.
    """
    _add_rule(op, "cpu" if on_cpu else "raise", dtype=dtype)


def fail(
    op: str = "*",
    message: str = "NPU error, error code is 507018 (simulated)",
    *,
    dtype: torch.dtype | None = None,
    times: int = 1,
) -> None:
    """The next calls of the operator fail with a RuntimeError, as after an AI Core exception."""
    _add_rule(op, "error", message, dtype, times)


def out_of_memory(op: str, *, times: int = 1) -> None:
    """The next calls of the operator raise torch.OutOfMemoryError."""
    _add_rule(op, "oom", times=times)


def oom_after(allocations: int = 1, *, device: int = 0, at_least: int = 0) -> None:
    """The n-th allocation from now (counting those of at_least bytes) raises torch.OutOfMemoryError."""
    torch.ops.sim_npu.oom_in(device, allocations, at_least)


@contextmanager
def trace() -> Iterator[dict[str, int]]:
    """Yields a dict that holds, after the block, how often each operator ran on the NPU."""
    counts: dict[str, int] = {}
    torch.ops.sim_npu.trace(True)
    try:
        yield counts
    finally:
        torch.ops.sim_npu.trace(False)
        counts.update(torch.ops.sim_npu.traced())


def cpu_fallbacks(counts: dict[str, int]) -> dict[str, int]:
    """Of traced operators those for which torch_npu 2.13.0 ships no kernel: it would run them on the CPU."""
    native = {_base(op) for op in _OPS_FILE.read_text().split()} | _PLUMBING
    return {op: count for op, count in counts.items() if _base(op) not in native}


def require_ops(counts: dict[str, int], allowed: frozenset[str] = frozenset()) -> None:
    """Raise AssertionError where the traced code needs operators that real NPUs lack."""
    missing = {op for op in cpu_fallbacks(counts) if op not in allowed}
    assert not missing, f"these operators would fall back to the CPU on a real NPU: {sorted(missing)}"


def absent(name: str) -> Callable[..., Any]:
    """A fused operator that the simulation lacks: the name can be imported, a call raises."""

    def call(*_args: object, **_options: object) -> None:
        raise NotImplementedError(f"torch_npu.{name} is not part of the simulation")

    return call


def _register(name: str) -> None:
    if torch._C._get_accelerator().type != "cpu":
        raise RuntimeError(f"this process already has a {torch._C._get_accelerator()}")
    torch.ops.load_library(_build.library())
    torch.utils.rename_privateuse1_backend(name)
    module = _torch_npu_module.make(name)
    torch._register_device_module(name, module)
    sys.modules[f"torch.{name}"] = module
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)


def _pretend_torch_npu() -> None:
    fake = types.ModuleType("torch_npu")
    fake.__spec__ = importlib.machinery.ModuleSpec("torch_npu", None)  # transformers asks find_spec()
    fake.__version__ = torch.__version__.split("+")[0] + "+sim"
    fake.npu = torch.npu
    fake.npu_fusion_attention = absent("npu_fusion_attention")  # transformers imports the name
    sys.modules["torch_npu"] = fake
    sys.modules["torch_npu.npu"] = torch.npu


def _base(op: str) -> str:
    return op.removeprefix("aten::").partition(".")[0]


def _add_rule(op: str, kind: str, message: str = "", dtype: torch.dtype | None = None, times: int = -1) -> None:
    if op != "*" and not _reaches_backend(op):
        raise ValueError(
            f"{op} never reaches the device: PyTorch decomposes it into other operators. "
            "Run it under sim_npu.trace() and name one of those."
        )
    torch.ops.sim_npu.add_rule(op, kind, message, dtype, times)


def _reaches_backend(op: str) -> bool:
    """Whether a device sees the operator: composite ones are decomposed before."""
    namespace, _, name = op.partition("::")
    base, _, overload = name.partition(".")
    packet = getattr(getattr(torch.ops, namespace), base, None)
    if packet is None:
        raise ValueError(f"no such operator: {op}")
    overloads = [overload] if overload else packet.overloads()
    return any(_overload_reaches(f"{namespace}::{base}", each) for each in overloads)


def _overload_reaches(base: str, overload: str) -> bool:
    full = base if overload == "default" else f"{base}.{overload}"

    def has(key: str) -> bool:
        return torch._C._dispatch_has_kernel_for_dispatch_key(full, key)

    return has("PrivateUse1") or not any(map(has, _COMPOSITE))
