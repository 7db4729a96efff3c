"""The compute devices of this machine, and torch made ready for them."""

from webui.devices.probing import (
    Choice,
    Device,
    cards,
    free_memory,
    is_out_of_memory,
    kind_of,
    load_torch,
    probe,
    resolve,
    try_driver,
)

__all__ = [
    "Choice",
    "Device",
    "cards",
    "free_memory",
    "is_out_of_memory",
    "kind_of",
    "load_torch",
    "probe",
    "resolve",
    "try_driver",
]
