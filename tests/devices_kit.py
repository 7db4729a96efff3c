"""What the child processes of the device tests share: simulated cards, a model that computes on one, jobs for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import numpy as np

from tests.api_kit import finish, submit, wav_of
from tests.jobs_kit import RATE, Store, buzz, open_store, upload
from webui.audio.intake import Decoder
from webui.audio.working_copy import WorkingCopyWriter
from webui.engines.base import Model, Recognition, RecognitionOptions, RecognizerCapabilities, RecognizerModel, Waveform
from webui.hosting.host import ModelHost
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context
from webui.jobs.runner import JobRunner
from webui.settings import Settings
from webui.store.machine_facts import MachineFacts
from webui.store.rows import JobRow

TESTS = Path(__file__).resolve().parent
SIMULATOR = TESTS / "sim_npu"
HEARS = RecognizerCapabilities(languages=("zh",), batch_seconds=8)


@cache
def simulator(site: str = "site") -> list[str]:
    """The folders of the simulated torch_npu, its library built: a driver has no minute to answer."""
    build = f"import runpy; runpy.run_path({str(SIMULATOR / 'sim_npu' / '_build.py')!r})['library']()"
    subprocess.run([sys.executable, "-c", build], check=True)
    return [str(SIMULATOR / site), str(SIMULATOR)]


def in_child(module: str, *arguments: object, site: str = "site", **environment: str) -> Any:
    """What `python -m module` prints last, as JSON; the simulated torch_npu is installed there."""
    path = os.pathsep.join([str(TESTS.parent), *simulator(site)])
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


class Listener:
    """A recognizer that computes where it was loaded: the energy of each segment, by a matrix product."""

    def __init__(self, device: str) -> None:
        from webui.devices import load_torch

        self.torch = load_torch()
        self.device = device
        self.weights = self.torch.eye(200, device=device)

    def recognize(self, batch: Sequence[Waveform], _options: RecognitionOptions) -> list[Recognition]:
        rows = np.stack([waveform.samples[: 80 * 200].reshape(80, 200) for waveform in batch]).astype(np.float32)
        there = self.torch.from_numpy(rows).to(self.device)
        energies = self.torch.relu(self.torch.matmul(there, self.weights) ** 2).sum((1, 2)).cpu()
        return [Recognition(f"能量{energy:.2f}", f"{energy:.2f}", "zh") for energy in energies.tolist()]

    def close(self) -> None:
        self.torch = self.weights = None


def listener(load: Callable[[str], Any] = Listener) -> Model:
    return RecognizerModel("listener", "test", "1", HEARS, load, device_kinds=("any",))


class ServerFolder:
    """A runner over a database, with one model, and jobs of seconds of noise for it."""

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        model: Model | None = None,
        on_hang: Callable[[], object] = lambda: None,
        memory: bool = False,
        **given: Any,
    ) -> None:
        self.settings = Settings(data=folder, models=folder, device=device, disk_reserve_bytes=0, **given)
        self.store: Store = open_store(self.settings.database)
        self.feed = ChangeFeed(self.store.database)
        self.host = ModelHost(self.settings, MachineFacts(self.store.database) if memory else None)
        context = Context.build(self.settings, self.store.database, self.host, Decoder(self.settings))
        self.runner = JobRunner(context, self.feed, on_hang)
        object.__setattr__(self.runner.context, "models", lambda: [model or listener()])

    def planned(self, segments: int, **values: Any) -> JobRow:
        uid, recording = upload(self.settings, np.zeros(RATE, np.float32))
        noise = np.random.default_rng(0).integers(-9999, 9999, segments * RATE, np.int16)
        with WorkingCopyWriter(self.settings.uploads / uid / "audio.wav") as writer:
            writer.write(noise)
        given = {"uid": uid, "input": recording, "model": "listener", **values}
        return self.store.planned(segments, params={"language": "zh"}, **given)

    def ended(self, job: JobRow) -> dict[str, Any]:
        """The job's row and its segments when it has ended, as JSON."""
        row = self.until(job, lambda now: now.final)
        segments = self.store.jobs.segments(None, job.uid)
        return {
            "state": row.state,
            "error": row.error and row.error.stored(),
            "devices": dict(row.devices),
            "warnings": [[warning.code, dict(warning.params)] for warning in row.warnings],
            "texts": [segment.text_raw for segment in segments],
            "states": [segment.state for segment in segments],
            "codes": [segment.error_code for segment in segments],
            "on": [segment.device for segment in segments],
        }

    def until(self, job: JobRow, reached: Callable[[JobRow], bool]) -> JobRow:
        deadline = time.monotonic() + 60
        while not reached(row := self.store.jobs.get(None, job.uid)):
            assert time.monotonic() < deadline, row
            time.sleep(0.02)
        return row


@contextmanager
def house(folder: Path, **given: Any) -> Iterator[ServerFolder]:
    """A started house; stopped at the end."""
    opened = ServerFolder(folder, **given)
    opened.feed.start()
    yield opened
    opened.runner.stop()
    opened.runner.context.decoder.close()
    opened.feed.stop()
    opened.host.close()
    opened.store.database.close()


class Server:
    """`python app.py` in a process of its own, on a data folder below `folder`; `code`: what to run in its place."""

    def __init__(self, folder: Path, *arguments: str, code: str = "", site: str = "", **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "models").mkdir(exist_ok=True)
        paths = [str(TESTS.parent)] + (simulator(site) if site else [])
        command = [sys.executable, *(["-c", code] if code else [str(TESTS.parent / "app.py")])]
        options = ["--data", str(folder / "data"), "--models", str(folder / "models"), "--port", str(port), *arguments]
        self.data = folder / "data"
        self._log = folder / "server.log"
        file = self._log.open("ab")
        self._process = subprocess.Popen(
            [*command, *options],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "OMP_NUM_THREADS": "1",
                "SHENGFANG_DISK_RESERVE_BYTES": "0",
                "SHENGFANG_BALLAST_BYTES": "0",
                **environment,
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        file.close()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def __enter__(self) -> Server:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client.get("/healthz").raise_for_status()
            except httpx.HTTPError:
                assert self._process.poll() is None and time.monotonic() < deadline, self.log()
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, _kind: type | None, _error: Exception | None, _trace: TracebackType | None) -> None:
        self.client.close()
        self._process.terminate()
        self.exit_code(40)

    def transcribe(self, name: str, sound: bytes | None = None, **params: Any) -> str:
        """Submit a recording; the job's id. Without `sound`: one second of a voice if `name` is "short", else four."""
        given = {"language": "zh", **params}
        audio = sound or wav_of(buzz(1.0 if name == "short" else 4.0))
        answer = submit(self.client, (f"{name}.wav", audio), params=json.dumps(given))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["jobs"][0]["id"])

    def finish(self, job: str) -> dict[str, Any]:
        return finish(self.client, job)

    def kill(self) -> None:
        """No time to put anything in order."""
        self._process.kill()
        self._process.wait()

    def exit_code(self, seconds: float) -> int:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
