"""Stands in for torch_npu in whole-application runs: PYTHONPATH=<this folder's parent> python app.py

PyTorch loads it by itself through the entry point, as it loads the real one. The machine is described by
SIM_NPU_DEVICES (1), SIM_NPU_MEMORY_MB (8192) and SIM_NPU_UNSUPPORTED (aten::op,aten::op).
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"], _before = "0", os.environ.get("TORCH_DEVICE_BACKEND_AUTOLOAD", "1")
import sim_npu
import torch

os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = _before
__version__ = torch.__version__.split("+")[0] + "+sim"

_devices, _memory_mb = int(os.environ.get("SIM_NPU_DEVICES", 1)), int(os.environ.get("SIM_NPU_MEMORY_MB", 8192))
sim_npu.install(_devices, _memory_mb, fake_torch_npu=False)
for _op in filter(None, os.environ.get("SIM_NPU_UNSUPPORTED", "").split(",")):
    sim_npu.unsupported(_op)
npu = torch.npu
npu_fusion_attention = sim_npu.absent("npu_fusion_attention")


def _autoload() -> None:
    """The entry point; importing this package has done the work."""
