"""What the tests of the HTTP interface share: a real server on loopback with the fake engine, and callers."""

from __future__ import annotations

import contextlib
import io
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
import uvicorn

from tests.jobs_kit import buzz
from webui.engines import basic
from webui.engines.base import SpeechOptions
from webui.pages.application import mount
from webui.server.application import create_app
from webui.server.guard import COOKIE
from webui.service.services import Services
from webui.settings import Settings

RATE = 16_000
FINAL = ("done", "partial", "failed", "cancelled")


@dataclass(frozen=True)
class Server:
    url: str
    services: Services

    def api(self, **headers: str) -> httpx.Client:
        """A caller without a cookie: the shared owner `api`."""
        return httpx.Client(base_url=self.url, timeout=60, headers=headers)

    def browser(self) -> httpx.Client:
        """A caller with a cookie of its own."""
        return httpx.Client(base_url=self.url, timeout=60, cookies={COOKIE: secrets.token_urlsafe(32)})


@contextlib.contextmanager
def serving(folder: Path, workers: bool = True, pages: bool = False, **settings: Any) -> Iterator[Server]:
    """The application under uvicorn, on a port of the system's choice, with `data` below `folder`."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    given = {"engines": ("benchmarks.fake_engine",), "disk_reserve_bytes": 0, "device": "cpu", **settings}
    services = Services(Settings(data=folder / "data", models=folder / "models", **given))
    services.models.set_options({"default_recognizer": "fake", "default_synthesizer": "fake"})
    services.start(workers)
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(services)
    if pages:
        mount(app, services)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
    finally:
        server.should_exit = True
        thread.join()
        services.stop()


def wav(seconds: float = 2.0, seed: int = 0) -> bytes:
    """A WAV file with something like speech in it."""
    return wav_of(buzz(seconds, seed))


def wav_of(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV")
    return buffer.getvalue()


@cache
def prompt() -> bytes:
    """A WAV file with some seconds of speech that a voice can be made of."""
    model = next(model for model in basic.models(Settings()) if model.kind == "synthesizer")
    synthesizer = model.load("cpu")
    text = "今天天气很好，我们一起去公园散步，好不好？"
    pieces = [piece.samples for piece in synthesizer.speak(text, None, SpeechOptions(language="zh"))]
    synthesizer.close()
    return wav_of(np.concatenate(pieces), model.capabilities.sample_rate)


def submit(client: httpx.Client, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    """POST /api/v1/jobs, a transcription unless `kind` says else."""
    data = {"kind": "transcribe", **fields}
    return client.post("/api/v1/jobs", data=data, files=[("file", file) for file in files] or {"none": b""})


def finish(client: httpx.Client, uid: str) -> dict[str, Any]:
    """The job when it has ended."""
    deadline = time.monotonic() + 60
    while (job := client.get(f"/api/v1/jobs/{uid}").json())["state"] not in FINAL:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and error code; the body must be the contract's error object."""
    error = response.json()["error"]
    assert set(error) >= {"code", "message", "hint", "type", "param"}
    return response.status_code, error["code"]
