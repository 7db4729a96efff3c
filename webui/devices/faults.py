"""What an exception says about the device: out of memory, an operator it lacks, or a device that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from webui.devices import is_out_of_memory
from webui.devices.vendors import VENDORS

_OPERATOR = re.compile(r"aten::\w+")
_REFUSED = re.compile("|".join(vendor.refusals for vendor in VENDORS if vendor.refusals))
_BROKEN = re.compile("|".join(vendor.faults for vendor in VENDORS if vendor.faults), re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """`detail`: the operator's name, or the driver's error code."""

    kind: Literal["memory", "operator", "device"]
    detail: str = ""


def fault_in(error: BaseException) -> Fault | None:
    """What the device did wrong, where `error`, or what it was raised from, says so; None: not the device's fault."""
    return next((fault for cause in _causes(error) if (fault := _fault(cause))), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _fault(error: BaseException) -> Fault | None:
    text = str(error)
    if is_out_of_memory(error):
        return Fault("memory")
    if isinstance(error, NotImplementedError):
        operator = _OPERATOR.search(text)
        return Fault("operator", operator[0]) if operator else None
    if not isinstance(error, RuntimeError):
        return None
    if refused := _REFUSED.search(text):
        operator = _OPERATOR.search(text)
        return Fault("operator", operator[0] if operator else refused[0].split()[0])
    broken = _BROKEN.search(text)
    return Fault("device", broken[0]) if broken else None
