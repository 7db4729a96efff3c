"""The whole model on a simulated NPU, in a process of its own: a device is registered once per process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devices_kit import SIMULATOR


@pytest.fixture(scope="module")
def report(cosyvoice_folder: Path) -> dict:
    if shutil.which("g++") is None:
        pytest.skip("the simulated NPU needs g++")
    child = Path(__file__).with_name("npu_child.py")
    command = [sys.executable, str(child), str(SIMULATOR), str(cosyvoice_folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_float32_on_the_npu_is_the_reference(report):
    """Operators that torch_npu lacks would have failed the child."""
    limits = {"logits": 1e-2, "mel": 1e-2, "f0": 1e-2, "hift_wav": 1e-2}
    assert {name: report["differences"][name] <= limit for name, limit in limits.items()} == dict.fromkeys(limits, True)


def test_bfloat16_on_the_npu_is_near_the_reference(report):
    assert report["differences"]["bfloat16 mel, mean"] <= 0.02


def test_every_weight_is_on_the_device(report):
    assert report["strays"] == []


def test_the_host_never_waits_for_a_single_number(report):
    assert report["waits"] == []
