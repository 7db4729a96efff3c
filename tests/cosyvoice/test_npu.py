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

from .device_parity import BFLOAT16_MEL, LIMITS


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


@pytest.mark.parametrize("name", LIMITS)
def test_float32_on_the_npu_is_the_reference(report, name):
    """Operators that torch_npu lacks would have failed the child."""
    assert report["float32"][name] <= LIMITS[name]


def test_bfloat16_on_the_npu_is_near_the_reference(report):
    assert report["bfloat16"]["mel, mean"] <= BFLOAT16_MEL


def test_decoding_by_graphs_is_decoding_eager(report):
    assert report["replays"] == 43 + 1  # each step after the first, and the trial
    assert report["graphs"] <= 1e-5


def test_every_weight_is_on_the_device(report):
    assert report["strays"] == []


def test_the_host_never_waits_for_a_single_number(report):
    assert report["waits"] == []
