"""Model folders in the official layout with small random weights, built from the parity kit."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

KIT = Path(__file__).parent / "kit"


def build(folder: Path, old_weight_norm: bool = False) -> Path:
    spec = importlib.util.spec_from_file_location("build_model_dir", KIT / "build_model_dir.py")
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    builder.build(folder, old_weight_norm)
    return folder


@pytest.fixture(scope="session")
def cosyvoice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cosyvoice") / "tiny")


@pytest.fixture(scope="session")
def cosyvoice_folder_old_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cosyvoice-old") / "tiny", old_weight_norm=True)
