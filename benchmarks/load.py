"""Many people at once: archives in parallel, browsers with a file after the other, one who only reads. Prints JSON.

python -m benchmarks.load --archives 50 --files 60 --browsers 60 --each 5

Wanted: no answer of 5xx but 503 with Retry-After (then the client comes again), every accepted file recognised exactly
once, the reader's p95 below a second.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import wave
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from webui.audio.resampling import resample
from webui.audio.samples import Samples
from webui.engines.basic.espeak import Espeak
from webui.server.guard import COOKIE
from webui.settings import Settings
from webui.store.database import Database
from webui.store.history import History
from webui.store.rows import JobFilter

ROOT = Path(__file__).resolve().parent.parent
RATE = 16_000
LOG = "heard"  # what the engine notes, in the folder that the server runs in
LOOK_EVERY_S = 0.2
PATIENCE_S = 600.0  # for one answer on a busy machine


@dataclass
class Answers:
    """What the clients of one kind got; times in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        p50, p95, worst = (round(float(np.percentile(self.times, part)), 3) for part in (50, 95, 100))
        return {"answers": dict(self.statuses), "p50_s": p50, "p95_s": p95, "worst_s": worst}


class Load:
    """The clients of one server."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._form = {"kind": "transcribe", "params": json.dumps({"hotwords": [f"log={LOG}"]})}

    def browser(self) -> httpx.Client:
        cookies = {COOKIE: secrets.token_urlsafe(32)}
        return httpx.Client(base_url=self._base, timeout=PATIENCE_S, cookies=cookies)

    def upload(self, client: httpx.Client, name: str, body: bytes, answers: Answers) -> None:
        """Until it is accepted: who is told to come again does."""

        def post() -> httpx.Response:
            return client.post("/api/v1/jobs", data=self._form, files={"file": (name, body)})

        while (wait := _asked(post, answers)) is not None:
            time.sleep(wait)

    def read(self, over: threading.Event, answers: Answers) -> None:
        """Another user's list, all the time."""
        with self.browser() as client:
            self.upload(client, "mine.wav", recording(10**9), Answers())
            while not over.wait(LOOK_EVERY_S):
                _asked(lambda: client.get("/api/v1/jobs?limit=50"), answers)

    def archives(self, bodies: Sequence[bytes], answers: Answers) -> None:
        def one(body: bytes) -> None:
            with self.browser() as client:
                self.upload(client, "recordings.zip", body, answers)

        with ThreadPoolExecutor(len(bodies)) as pool:
            list(pool.map(one, bodies))

    def browsers(self, count: int, each: int, answers: Answers) -> None:
        def one(number: int) -> None:
            with self.browser() as client:
                for at in range(each):
                    self.upload(client, f"{at}.wav", recording(10**6 + number * each + at), answers)

        with ThreadPoolExecutor(count) as pool:
            list(pool.map(one, range(count)))


def _asked(request: Callable[[], httpx.Response], answers: Answers) -> float | None:
    """One request, noted; the seconds after which to come again, None where it need not be."""
    began = time.monotonic()
    try:
        answer = request()
    except httpx.HTTPError as error:
        answers.statuses[type(error).__name__] += 1
        return None
    answers.times.append(time.monotonic() - began)
    wait = answer.headers.get("retry-after") if answer.status_code in (429, 503) else None
    answers.statuses[f"{answer.status_code}{' come again' if wait else ''}"] += 1
    return float(wait) if wait else None


@cache
def speech() -> Samples:
    espeak = Espeak()
    spoken = espeak.speak("one two three", "en-us", 165)
    espeak.close()
    return resample(spoken.samples, spoken.rate, RATE)


def recording(seed: int) -> bytes:
    """A WAV file with a second of speech; another for every seed."""
    samples = speech() + 0.001 * np.random.default_rng(seed).standard_normal(len(speech()))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def archive(seeds: range) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for seed in seeds:
            packed.writestr(f"{seed}.wav", recording(seed))
    return buffer.getvalue()


@contextlib.contextmanager
def serving(data: Path) -> Iterator[str]:
    """The program itself with the fake engine; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (data / "models").mkdir(parents=True, exist_ok=True)
    given = {"ENGINES": "benchmarks.fake_engine", "DISK_RESERVE_BYTES": "0", "LOG_LEVEL": "WARNING"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **{f"SHENGFANG_{name}": given[name] for name in given}}
    command = [
        sys.executable,
        str(ROOT / "app.py"),
        "--data",
        str(data),
        "--models",
        str(data / "models"),
        "--device",
        "cpu",
    ]
    process = subprocess.Popen([*command, "serve", "--port", str(port)], cwd=data, env=environment)
    base = f"http://127.0.0.1:{port}"
    try:
        while not _ready(base):
            assert process.poll() is None, "the server ended"
            time.sleep(0.5)
        httpx.put(f"{base}/api/v1/settings", json={"default_recognizer": "fake"}, timeout=60).raise_for_status()
        yield base
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz", timeout=60).is_success
    except httpx.HTTPError:
        return False


def outcome(data: Path) -> dict[str, Any]:
    """What became of every accepted file, when all have ended, by the database and by what the engine noted."""
    database = Database(Settings(data=data).database)
    try:
        states = Counter(row.state for row in History(database).stream(JobFilter(None)))
    finally:
        database.close()
    heard = Counter((data / LOG).read_text().split())
    return {"jobs": dict(states), "heard": len(heard), "heard_again": sum(heard.values()) - len(heard)}


def run(data: Path, archives: int, files: int, browsers: int, each: int) -> dict[str, Any]:
    over = threading.Event()
    bodies = [archive(range(number * files, (number + 1) * files)) for number in range(archives)]
    report: dict[str, Any] = {"load_average": [round(load, 1) for load in os.getloadavg()]}
    with serving(data) as base:
        load = Load(base)
        zips, singles, reads = Answers(), Answers(), Answers()
        reader = threading.Thread(target=load.read, args=(over, reads))
        reader.start()
        began = time.monotonic()
        load.archives(bodies, zips)
        report |= {"archives": zips.figures(), "archives_s": round(time.monotonic() - began, 1)}
        began = time.monotonic()
        load.browsers(browsers, each, singles)
        report |= {"browsers": singles.figures(), "browsers_s": round(time.monotonic() - began, 1)}
        over.set()
        reader.join()
        report["reader"] = reads.figures()
        while sum(_queue(base).values()):
            time.sleep(2)
        report["all_done_s"] = round(time.monotonic() - began, 1)
    return report | outcome(data)


def _queue(base: str) -> dict[str, int]:
    queue: dict[str, int] = httpx.get(f"{base}/api/v1/system", timeout=PATIENCE_S).json()["queue"]
    return queue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("archives", 50), ("files", 60), ("browsers", 60), ("each", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        print(json.dumps(run(Path(folder), asked.archives, asked.files, asked.browsers, asked.each)))


if __name__ == "__main__":
    main()
