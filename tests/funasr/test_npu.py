"""FunASR's models on a simulated card: the CPU's results, by operators that torch_npu has."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.devices_kit import in_child

NAMES = ("sensevoice", "paraformer", "seaco", "streaming", "nano")


@pytest.fixture(scope="module")
def found(model_folders: Path) -> Mapping[str, Any]:
    """An operator that torch_npu lacks ends the child with an error that names it."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is missing: no simulated NPU")
    reports: Mapping[str, Any] = in_child("tests.funasr.npu_child", model_folders)
    return reports


@pytest.mark.parametrize("name", NAMES)
def test_text_and_times_are_the_cpus(found: Mapping[str, Any], name: str) -> None:
    here, there = found[name]["cpu"], found[name]["npu"]
    assert there["texts"] == here["texts"] and there["words"] == here["words"] and found[name]["ops"] > 10


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_is_on_the_card(found: Mapping[str, Any], name: str) -> None:
    assert found[name]["npu"]["strays"] == []
