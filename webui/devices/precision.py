"""Half precision: bfloat16 or float16, whichever an accelerator computes with. Imports torch when asked."""

from __future__ import annotations

import inspect
from typing import Literal

from webui.devices import load_torch


def half_dtype(device: str) -> Literal["bfloat16", "float16"]:
    """bfloat16 where `device` multiplies it, else float16.

    torch says yes for cards that only emulate it too (NVIDIA's before Ampere), several times as slowly as float16.
    """
    module = load_torch().get_device_module(device)
    ask = getattr(module, "is_bf16_supported", None)
    if ask is None:
        return "bfloat16"
    emulated = {"including_emulation": False} if "including_emulation" in inspect.signature(ask).parameters else {}
    with module.device(device):  # it answers for the current one
        return "bfloat16" if ask(**emulated) else "float16"
