"""Compile csrc/sim_npu.cpp once per (source, PyTorch) and cache the library."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("csrc") / "sim_npu.cpp"


def library() -> str:
    """The path of the library; builds it (about half a minute) where the cache has none. Raises RuntimeError."""
    version = torch.__version__
    key = hashlib.sha256(SOURCE.read_bytes() + version.encode()).hexdigest()[:16]
    target = _cache() / f"libsim_npu-{version}-{key}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            built = Path(work) / "lib.so"
            _compile(built)
            built.replace(target)  # atomic: several processes may build at once
    return str(target)


def _cache() -> Path:
    return Path(os.environ.get("SIM_NPU_CACHE") or Path.home() / ".cache" / "sim_npu")


def _compile(target: Path) -> None:
    root = Path(torch.__file__).parent
    include = root / "include"
    command = [os.environ.get("CXX", "g++"), "-O1", "-std=c++20", "-fPIC", "-shared", "-w"]
    command += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"]
    command += [f"-I{include}", f"-I{include / 'torch/csrc/api/include'}"]
    command += [str(SOURCE), "-o", str(target), f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cannot build the simulated NPU:\n{done.stderr[-4000:]}")
