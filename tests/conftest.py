"""Fixtures for all tests: a data root of their own, no network, and the evaluation material where it is present."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_outside_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test does, a connection may only go to this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "models").mkdir()
    return Settings(data=tmp_path / "data", models=tmp_path / "models", disk_reserve_bytes=0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The evaluation material; tests that need it skip by name where it is absent."""
    folder = Path(os.environ.get("SHENGFANG_SHARED", ROOT.parent / "shared"))
    if not (folder / "eval" / "manifest.jsonl").is_file():
        pytest.skip("evaluation material (shared/eval) is not here")
    return folder


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("SHENGFANG_") and name != "SHENGFANG_SHARED"]:
        monkeypatch.delenv(name)
    yield
