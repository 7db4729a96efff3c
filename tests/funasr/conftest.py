"""Folders of random weights, built once, and recordings to put through them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.funasr import builder
from webui.engines.base import Waveform
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One reduced folder of each architecture."""
    root = tmp_path_factory.mktemp("models")
    for name, build, options in (
        ("sensevoice", builder.sense_voice, {}),
        ("paraformer", builder.paraformer, {"contextual": False}),
        ("seaco", builder.paraformer, {}),
        ("streaming", builder.paraformer, {"contextual": False, "streaming": True}),
        ("nano", builder.nano, {}),
    ):
        (root / name).mkdir()
        build(root / name, **options)
    return root


@pytest.fixture
def own_models(model_folders: Path, settings: Settings) -> Path:
    """A copy that the test may break."""
    shutil.rmtree(settings.models)
    shutil.copytree(model_folders, settings.models)
    return settings.models


@pytest.fixture(scope="session")
def speech() -> Callable[[float], Waveform]:
    """Generated sound of so many seconds, the same each time."""

    def make(seconds: float) -> Waveform:
        generator = np.random.default_rng(int(seconds * 1000))
        count = int(seconds * 16000)
        rough = np.convolve(generator.normal(0, 0.2, count), np.hanning(9) / 4, "same")
        loudness = 0.5 + 0.5 * np.sin(np.arange(count) / 16000 * 2 * np.pi * 3)
        return Waveform((rough * loudness).astype(np.float32), 16000)

    return make


@pytest.fixture(scope="session")
def in_child() -> Callable[..., str]:
    """Run Python code in a process of its own; its standard output."""

    def run(code: str, *arguments: object, timeout: float = 300) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
