"""Fixtures for all tests: a data root of their own, no network, and the evaluation material where it is present."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # a machine lent for its accelerator has little more than torch
    import httpx

    from tests.api_kit import Server
    from tests.devices_kit import Server as Program
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
    from webui.settings import Settings

    (tmp_path / "models").mkdir()
    return Settings(data=tmp_path / "data", models=tmp_path / "models", disk_reserve_bytes=0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The evaluation material; tests that need it skip by name where it is absent."""
    folder = Path(os.environ.get("SHENGFANG_SHARED", ROOT.parent / "shared"))
    if not (folder / "eval" / "manifest.jsonl").is_file():
        pytest.skip("evaluation material (shared/eval) is not here")
    return folder


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`python app.py` with the fake engine as its default, and limits low enough to be reached; one for all tests."""
    from tests.devices_kit import Server

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SHENGFANG_")]:
            patch.delenv(name)
        limits = {"MAX_UPLOAD_BYTES": 20 * 2**20, "MAX_AUDIO_HOURS": 0.05, "MAX_QUEUED_JOBS": 30}
        given = {f"SHENGFANG_{name}": str(value) for name, value in limits.items()}
        folder = tmp_path_factory.mktemp("program")
        started = Server(folder, "--device", "cpu", SHENGFANG_ENGINES="benchmarks.fake_engine", **given)
    with started:
        models = {"default_recognizer": "fake", "default_synthesizer": "fake"}
        started.client.put("/api/v1/settings", json=models).raise_for_status()
        yield started


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command run inside a test makes of its environment, its temporary folder above all, ends with it."""
    before, folder = dict(os.environ), tempfile.tempdir
    for name in [name for name in os.environ if name.startswith("SHENGFANG_") and name != "SHENGFANG_SHARED"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHENGFANG_BALLAST_BYTES", "0")  # else every data folder of a test takes so much of the disk
    yield
    os.environ.clear()
    os.environ.update(before)
    tempfile.tempdir = folder


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A command run inside a test sets up logging to a stream that is gone after it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application on loopback with the fake engine, shared by a module's tests."""
    from tests.api_kit import serving

    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A browser of its own."""
    with server.browser() as client:
        yield client
