"""Which numbers a device computes best with, and what it must not make of them."""

from __future__ import annotations

from pathlib import Path

import torch

from webui.devices.precision import half_dtype
from webui.devices.vendors import BY_KIND

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86, x86, aarch64: multiplies bfloat16 in hardware


def best(device: torch.device, cpuinfo: Path = Path("/proc/cpuinfo")) -> torch.dtype:
    """bfloat16 where the device has it; float16 on accelerators that lack it; else float32."""
    if device.type == "cpu":
        return torch.bfloat16 if _cpu_flags(cpuinfo) & _CPU_FLAGS else torch.float32
    vendor = BY_KIND.get(device.type)
    if vendor and not vendor.half:
        return torch.float32
    return torch.bfloat16 if half_dtype(str(device)) == "bfloat16" else torch.float16


def exact_kernels() -> None:
    """Float32 stays so on NVIDIA's cards, and adds up in the same order each time; in the whole process.

    torch leaves their libraries free to round to TF32's 10 bits and to any order. The vocoder's phase makes a last bit
    of the mel audible in a comparison, and a seed must give the same samples.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def _cpu_flags(cpuinfo: Path) -> set[str]:
    """The features that the processor names; none where the system has no such file."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()}
