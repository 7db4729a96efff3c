"""The server asks nobody outside: pages, both engines and the models' listing with every outside address refused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests.api_kit import wav_of
from tests.devices_kit import Server
from tests.speech_kit import speech

ROOT = Path(__file__).resolve().parent.parent
# Sees every Python socket of the process, whichever library opened it.
WATCHED = """
import os, sys

def outside(host):
    return host not in (None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0", b"localhost", b"127.0.0.1")

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[-1], tuple):
        host = arguments[-1][0]
    else:
        return
    if outside(host):
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{event} {host}\\n")
        raise OSError(f"no network: {host}")

sys.addaudithook(watch)
sys.argv[0] = "app.py"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("offline")
    shutil.copytree(ROOT / "models" / "selftest-zh", folder / "models" / "selftest-zh")
    log = folder / "attempts.log"
    code = WATCHED + f"import runpy\nrunpy.run_path({str(ROOT / 'app.py')!r}, run_name='__main__')\n"
    with Server(folder, code=code, WATCH_LOG=str(log)) as server:
        yield SimpleNamespace(server=server, attempts=lambda: log.read_text() if log.exists() else "")


def test_the_page_and_the_lists_ask_nobody(house: SimpleNamespace) -> None:
    client: httpx.Client = house.server.client
    for path in ("/", "/api/v1/models", "/api/v1/devices", "/api/v1/system", "/readyz", "/v1/models"):
        assert client.get(path).status_code == 200
    assert house.attempts() == ""


@pytest.mark.parametrize("model", ["basic", "selftest-zh"])
def test_transcribing_asks_nobody(house: SimpleNamespace, model: str) -> None:
    language = "en" if model == "basic" else "zh"
    job = house.server.finish(
        house.server.transcribe("call", wav_of(speech(4, 16_000)), model=model, language=language)
    )
    assert job["state"] == "done" and job["model"] == model
    assert house.attempts() == ""


def test_speaking_asks_nobody(house: SimpleNamespace) -> None:
    wish = {"model": "basic", "input": "您好。", "voice": "builtin"}
    answer = house.server.client.post("/v1/audio/speech", json=wish)
    assert answer.status_code == 200 and len(answer.content) > 1000
    assert house.attempts() == ""


def test_a_download_is_refused_in_one_sentence_and_seen_by_the_watch(house: SimpleNamespace) -> None:
    """Also the proof that the watch sees what there is to see."""
    client: httpx.Client = house.server.client
    client.post("/api/v1/models/SenseVoiceSmall/pull")
    for _ in range(100):
        entry = next(e for e in client.get("/api/v1/models").json()["catalog"] if e["name"] == "SenseVoiceSmall")
        if entry["pull"] and entry["pull"]["error"]:
            break
        time.sleep(0.1)
    assert entry["pull"]["error"]["code"] == "PULL_OFFLINE"
    assert "socket.getaddrinfo" in house.attempts()
