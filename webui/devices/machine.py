"""What the system says of its processor and its memory (Linux; elsewhere less)."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """ "Intel Xeon … × 2"."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()} × {os.cpu_count()}"


def memory() -> tuple[int | None, int | None]:
    """(available, total) bytes; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None, None
    kib = {key: int(value) for key, value in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    return kib["MemAvailable"] * 1024, kib["MemTotal"] * 1024


def resident() -> int:
    """Bytes of physical memory in use by this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
