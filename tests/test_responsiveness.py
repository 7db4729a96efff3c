"""Pages and API answer while an engine loads and works, each measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cosyvoice.conftest import build
from tests.funasr import builder

ROOT = Path(__file__).resolve().parent.parent
WORKING_S, LOADING_S = 0.25, 1.0  # the 99th percentile, the longest
MOST_BUSY = 4.0  # the stalling engine keeps the lock for four times as long as is then allowed
BUILT = {
    "sensevoice": builder.sense_voice,
    "nano": builder.nano,
    "cosy": build,
}


def measured(models: Path, name: str) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.responsiveness", str(models), name]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def responsive(found: dict[str, float]) -> bool:
    """A machine with more to do than it has cores is slower in proportion, but no stall passes for that."""
    busy = min(max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), MOST_BUSY)
    return found["working"] <= WORKING_S * busy and found["loading"] <= LOADING_S * busy


@pytest.mark.parametrize("name", ["basic:recognizer", "basic:synthesizer", *BUILT])
def test_the_server_answers_while_an_engine_works(tmp_path: Path, name: str) -> None:
    if name in BUILT:
        (tmp_path / name).mkdir()
        BUILT[name](tmp_path / name)
    found = measured(tmp_path, name)
    assert responsive(found) or responsive(measured(tmp_path, name)), found


def test_an_engine_that_keeps_the_interpreters_lock_is_noticed(tmp_path: Path) -> None:
    found = measured(tmp_path, "stalling")
    assert found["working"] > WORKING_S * MOST_BUSY and not responsive(found)
