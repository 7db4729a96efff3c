"""Seconds from `python app.py` to the first page, and the memory of the idle app. Prints one JSON line.

python -m benchmarks.start [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
TIME_LIMIT_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_once(folder: Path) -> tuple[float, float, int]:
    """Seconds to the first page, CPU seconds spent until then, resident bytes then."""
    port = free_port()
    command = [sys.executable, str(ROOT / "app.py"), "--data", str(folder), "--port", str(port)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await_page(f"http://127.0.0.1:{port}/", began)
            seconds = time.monotonic() - began
            return seconds, *_spent(process.pid)
        finally:
            process.terminate()


def _spent(pid: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # user, system: fields 14 and 15 of all
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def _await_page(address: str, began: float) -> None:
    while time.monotonic() - began < TIME_LIMIT_S:
        try:
            if httpx.get(address, timeout=TIME_LIMIT_S).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(f"no page after {TIME_LIMIT_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        figures = [start_once(Path(folder)) for _ in range(runs)]
    seconds, cpu, memory = zip(*figures, strict=True)
    print(
        json.dumps(
            {
                "benchmark": "start",
                "first_page_s": {"min": round(min(seconds), 2), "median": round(statistics.median(seconds), 2)},
                "cpu_s": round(statistics.median(cpu), 2),
                "resident_mb": round(statistics.median(memory) / 2**20),
            }
        )
    )


if __name__ == "__main__":
    main()
