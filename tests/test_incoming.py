"""Work that nobody pays for: what a request may ask for is known before anything is done, and ends with its caller."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.api_kit import Server, code, serving, submit, wav
from webui.service import archives
from webui.service.uploads import incoming_folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, workers=False, max_queued_jobs=600) as running:
        yield running


def zipped(files: int, content: bytes = b"no audio at all") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(files):
            archive.writestr(f"{number}.wav", content)
    return buffer.getvalue()


def left_over(server: Server) -> int:
    return len(list(incoming_folder(server.services.settings).glob("*")))


def test_a_full_queue_is_said_before_anything_is_looked_at(server: Server) -> None:
    answer = submit(server.browser(), ("a.zip", zipped(400)), ("b.zip", zipped(300)))
    assert code(answer) == (429, "QUEUE_FULL")
    assert left_over(server) == 0


def test_archives_of_a_request_share_one_number_of_recordings(server: Server) -> None:
    answer = submit(server.browser(), *((f"{n}.zip", zipped(400)) for n in range(3)))
    assert code(answer) == (400, "BAD_REQUEST") and "1000" in answer.json()["error"]["message"]
    assert left_over(server) == 0


def test_archives_of_a_request_share_one_size(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = wav(0.5)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 5 * len(content))
    assert code(submit(server.browser(), *((f"{n}.zip", zipped(3, content)) for n in range(2)))) == (422, "BAD_ARCHIVE")
    assert submit(server.browser(), *((f"{n}.zip", zipped(2, content)) for n in range(2))).status_code == 202
    assert left_over(server) == 0


def test_a_known_key_is_answered_though_the_queue_is_full(server: Server) -> None:
    client = server.browser()
    client.headers["idempotency-key"] = "first"
    body = zipped(400, wav(0.1))
    assert submit(client, ("a.zip", body)).status_code == 202
    assert len(submit(client, ("a.zip", body)).json()["jobs"]) == 400


def test_work_ends_when_the_caller_leaves(server: Server) -> None:
    with server.browser() as client, pytest.raises(httpx.ReadTimeout):
        client.timeout = httpx.Timeout(0.3)
        submit(client, ("a.zip", zipped(500, wav(0.1))))
    deadline = time.monotonic() + 5
    while left_over(server):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    assert server.services.system.queue()["queued"] == 0


def test_one_recording_does_not_stand_behind_archives(server: Server) -> None:
    body = zipped(60, wav(0.1))

    def upload(_number: int) -> int:
        with server.browser() as client:
            return submit(client, ("a.zip", body)).status_code

    with ThreadPoolExecutor(8) as pool:
        archived = pool.map(upload, range(8))
        time.sleep(0.5)
        assert submit(server.browser(), ("a.wav", wav())).status_code == 202
        single = server.services.system.queue()["queued"]
        assert set(archived) == {202}
    assert single < 8 * 60 + 1
