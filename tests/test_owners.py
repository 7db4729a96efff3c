"""Whose things are whose: a browser becomes an owner with what it writes first, not by looking."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.api_kit import Server, code, serving, submit, wav
from webui.store.schema import owners

READ = ("/api/v1/jobs", "/api/v1/system", "/api/v1/voices", "/api/v1/hotwords", "/api/v1/changes", "/v1/models")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, workers=False) as running:
        yield running


def rows(server: Server) -> int:
    with server.services.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(owners)).scalar_one())


@pytest.mark.parametrize("path", READ)
def test_reading_with_a_cookie_that_nobody_knows_makes_no_row(server: Server, path: str) -> None:
    before = rows(server)
    assert server.browser().get(path).status_code == 200
    assert server.api().get(path).status_code == 200
    assert rows(server) == before


def test_changing_what_is_not_there_makes_no_row(server: Server) -> None:
    before, client = rows(server), server.browser()
    assert code(client.delete(f"/api/v1/jobs/{'0' * 32}")) == (404, "NOT_FOUND")
    assert code(client.post(f"/api/v1/voices/{'0' * 32}/revoke")) == (404, "VOICE_NOT_FOUND")
    assert code(submit(client, kind="singing"))[0] == 422
    assert client.get("/api/v1/history.json").json() == []
    assert rows(server) == before


def test_the_first_thing_written_makes_the_owner_and_is_found_again(server: Server) -> None:
    before, client = rows(server), server.browser()
    assert client.put("/api/v1/hotwords/names", json={"words": ["张三"]}).status_code == 200
    assert submit(client, ("a.wav", wav())).status_code == 202
    assert rows(server) == before + 1
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1
    assert len(client.get("/api/v1/hotwords").json()["lists"]) == 1
    assert server.browser().get("/api/v1/jobs").json()["jobs"] == []


def test_a_new_browser_that_waits_hears_of_its_first_job(server: Server) -> None:
    client, heard = server.browser(), list[tuple[float, Any]]()
    since = client.get("/api/v1/changes").json()["since"]

    def wait() -> None:
        began = time.monotonic()
        answer = client.get("/api/v1/changes", params={"since": since, "wait": 20}).json()
        heard.append((time.monotonic() - began, answer))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    uid = submit(client, ("a.wav", wav())).json()["jobs"][0]["id"]
    waiting.join()
    seconds, answer = heard[0]
    assert [job["id"] for job in answer["jobs"]] == [uid]
    assert seconds < 10
