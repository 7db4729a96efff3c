"""`doctor` and `devices` do not import torch where its files tell enough, and say the same as if they had."""

from __future__ import annotations

import importlib.metadata
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.devices_kit import simulator
from webui import devices
from webui.cli import checks, hardware
from webui.devices import vendors
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CHILD = "import sys, app; code = app.main(sys.argv[1:]); print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"


@pytest.fixture
def version() -> str:
    installed = importlib.metadata.version("torch")
    if not installed.endswith("+cpu") or len(devices.probe(load=False)) > 1:
        pytest.skip("this torch or this machine may have an accelerator")
    return installed


def command(*arguments: object, site: str = "") -> tuple[list[dict[str, Any]], str]:
    """The JSON that a command prints, and the last line of its standard error; `site`: searched before the packages."""
    path = os.pathsep.join(filter(None, [site, str(ROOT)]))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments), "--json"],
        env={**os.environ, "PYTHONPATH": path, "LC_ALL": "C", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return json.loads(done.stdout), done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["doctor", "devices"])
def test_where_there_can_only_be_the_cpu_torch_is_not_imported(name: str, version: str, tmp_path: Path) -> None:
    found, torch_loaded = command(name, "--data", tmp_path)
    assert torch_loaded == "False"
    assert "cpu" in {line["subject" if name == "doctor" else "id"] for line in found}


def test_it_says_what_the_imported_torch_says(
    version: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [*checks._torch(settings), *checks._devices(settings)]
    monkeypatch.setattr(hardware, "cpu_build", lambda: "")
    assert [*checks._torch(settings), *checks._devices(settings)] == quick


@pytest.mark.parametrize("library", [None, b"no library"])
def test_a_torch_that_does_not_load_is_a_failure_that_says_why(library: bytes | None, tmp_path: Path) -> None:
    torch = tmp_path / "torch"
    (torch / "lib").mkdir(parents=True)
    (torch / "__init__.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')")
    (torch / "version.py").write_text("__version__ = '2.13.0+cpu'\ncuda = hip = xpu = None\n")
    if library is not None:
        (torch / "lib" / "libtorch_python.so").write_bytes(library)
    found, _ = command("doctor", "--data", tmp_path, site=str(tmp_path))
    assert [(line["state"], "libgomp.so.1" in line["text"]) for line in found if line["subject"] == "torch"] == [
        ("bad", True)
    ]


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: no simulated NPU")
def test_a_card_that_needs_a_plug_in_is_found(tmp_path: Path) -> None:
    found, torch_loaded = command("devices", "--data", tmp_path, site=os.pathsep.join(simulator()))
    assert [(device["id"], device["usable"]) for device in found] == [("npu:0", True), ("cpu", True)]
    assert torch_loaded == "True"


class TestOnlyItsImportCanTell:
    @pytest.fixture(autouse=True)
    def by_files(self, version: str) -> None:
        assert hardware.cpu_build() == version

    def test_with_a_drivers_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "nvidia0").touch()
        monkeypatch.setattr(vendors, "DEV", tmp_path)
        assert hardware.cpu_build() == ""

    @pytest.mark.parametrize("kind", ["cuda", "hip", "xpu"])
    def test_with_a_build_for_accelerators(self, kind: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runpy, "run_path", lambda _path: {"__version__": version, kind: "13.0"})
        assert hardware.cpu_build() == ""

    def test_without_a_package_that_torch_requires(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.metadata, "requires", lambda _name: ["none-such>=1"])
        assert hardware.cpu_build() == ""
