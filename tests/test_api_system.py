"""History exports, models, settings, devices, health, metrics, the schema, and addresses that do not exist."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.api_kit import Server, code, finish, serving, submit, wav
from webui.server import guard, lexicon, models, system
from webui.server.errors import register_handlers

HEADER = (
    "id,kind,state,created_at,finished_at,file_name,duration_s,model,device,language,hotwords,itn,"
    "text,text_raw,voice,error_code"
)
EVIL = ("=HYPERLINK(1).wav", "+cmd.wav", "＝1+1.wav", "@sum.wav")


@pytest.fixture(scope="module")
def history(server: Server) -> Iterator[httpx.Client]:
    """A caller with five finished jobs, four of them with names that a spreadsheet would run."""
    with server.browser() as client:
        params = json.dumps({"hotwords": ["声坊", "客服"], "itn": False})
        answers = [submit(client, (name, wav(1)), params=params) for name in (*EVIL, "普通.wav")]
        for answer in answers:
            finish(client, answer.json()["jobs"][0]["id"])
        yield client


def test_the_csv_has_the_contracts_columns_and_disarmed_cells(history: httpx.Client) -> None:
    response = history.get("/api/v1/history.csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"].startswith("attachment")
    text = response.content.decode()
    assert text.startswith("\ufeff" + HEADER)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["file_name"] for row in rows] == ["普通.wav", *["'" + name for name in reversed(EVIL)]]
    assert rows[0]["hotwords"] == "声坊\n客服"
    assert rows[0]["itn"] == "false"
    assert rows[0]["device"] == "cpu"
    assert rows[0]["text"].startswith("听到")
    assert float(rows[0]["duration_s"]) == pytest.approx(1, abs=0.05)


def test_the_json_is_one_array_of_jobs(history: httpx.Client, client: httpx.Client) -> None:
    jobs = history.get("/api/v1/history.json").json()
    assert [job["file_name"] for job in jobs] == ["普通.wav", *reversed(EVIL)]
    assert jobs[0] == history.get(f"/api/v1/jobs/{jobs[0]['id']}").json()
    assert client.get("/api/v1/history.json").json() == []


def test_exports_obey_the_filters(history: httpx.Client) -> None:
    assert history.get("/api/v1/history.json", params={"kind": "speak"}).json() == []
    assert len(history.get("/api/v1/history.json", params={"q": "普通"}).json()) == 1
    assert history.get("/api/v1/history.csv", params={"state": "failed"}).text.strip() == "\ufeff" + HEADER
    assert code(history.get("/api/v1/history.csv", params={"state": "odd"})) == (422, "INVALID_FIELD")


def test_models_say_what_they_can_and_why_not(client: httpx.Client) -> None:
    listing = client.get("/api/v1/models", headers={"accept-language": "en"}).json()
    by_name = {(model["name"], model["kind"]): model for model in listing["models"]}
    basic = by_name["basic", "recognizer"]
    assert basic["default"] is False
    assert by_name["fake", "recognizer"]["default"] is True
    assert basic["capabilities"]["unavailable"]["hotwords"]["message"].isascii()
    assert basic["problem"] is None
    names = {entry["name"] for entry in listing["catalog"]}
    assert names
    assert all(set(entry) >= {"title", "licence", "present", "pull"} for entry in listing["catalog"])


def test_the_default_can_be_chosen_and_must_exist(server: Server, client: httpx.Client) -> None:
    assert client.get("/api/v1/settings").json()["default_recognizer"] == "fake"
    changed = client.put("/api/v1/settings", json={"default_recognizer": "basic"}).json()
    assert (changed["default_recognizer"], changed["default_synthesizer"]) == ("basic", "fake")
    job = submit(client, ("a.wav", wav(1))).json()["jobs"][0]
    assert (job["model"], job["params"]["language"]) == ("basic", "en")
    client.put("/api/v1/settings", json={"default_recognizer": "fake"})
    assert code(client.put("/api/v1/settings", json={"default_recognizer": "no"})) == (404, "MODEL_NOT_FOUND")
    assert code(client.put("/api/v1/settings", json={"device": "abacus:0"}))[0] == 422
    assert code(client.put("/api/v1/settings", json={"colour": "red"})) == (422, "INVALID_FIELD")


CONCERNS_ALL = [
    ("PUT", "/api/v1/settings", {"device": "auto"}),
    ("PUT", "/api/v1/lexicon", {"entries": {}}),
    ("POST", "/api/v1/system/free-memory", None),
    ("POST", "/api/v1/models/refresh", None),
    ("POST", "/api/v1/models/nobody/pull", None),
    ("POST", "/api/v1/models/nobody/optimise", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CONCERNS_ALL)
def test_what_concerns_all_is_changed_on_this_machine_only(
    client: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for shown in ({"x-forwarded-for": "10.1.2.3"}, {"via": "1.1 proxy"}, {"host": "10.1.2.3:7860"}):
        answer = client.request(method, path, json=body, headers=shown)
        assert code(answer) == (403, "LOCAL_ONLY"), shown
    assert client.request(method, path, json=body).status_code in (200, 404)


@pytest.mark.parametrize(("method", "path", "body"), CONCERNS_ALL)
@pytest.mark.parametrize(
    ("peer", "version", "behind_proxy"), [("10.1.2.3", "1.1", False), ("127.0.0.1", "1.0", False), ("::1", "1.1", True)]
)
def test_a_proxy_without_headers_and_a_stranger_are_not_local(
    server: Server, method: str, path: str, body: dict[str, Any] | None, peer: str, version: str, behind_proxy: bool
) -> None:
    """`proxy_pass` alone passes nothing on but its loopback address, in HTTP/1.0."""
    settings = server.services.settings.model_copy(update={"behind_proxy": behind_proxy})
    app = FastAPI()
    register_handlers(app)
    app.state.services = SimpleNamespace(settings=settings)
    for module in (models, lexicon, system):
        app.include_router(module.router)

    async def older(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "http_version": version}, receive, send)

    transport = httpx.ASGITransport(app=older, client=(peer, 1234))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as caller:
            return await caller.request(method, path, json=body)

    assert code(asyncio.run(ask())) == (403, "LOCAL_ONLY")


def test_devices_are_listed_with_the_cpu(client: httpx.Client) -> None:
    devices = client.get("/api/v1/devices").json()
    cpu = next(device for device in devices if device["id"] == "cpu")
    assert cpu["usable"] is True
    assert set(cpu) >= {"id", "kind", "name", "usable", "reason", "memory_total", "memory_free"}


def test_the_system_says_how_it_is(client: httpx.Client) -> None:
    system = client.get("/api/v1/system").json()
    assert system["version"]
    assert system["open_mode"] is True
    assert system["queue"].keys() >= {"queued", "running"}
    assert system["disk"]["free"] > 0
    assert system["label"] == {"producer_code": False, "position": "end"}


def test_memory_is_freed_on_request(client: httpx.Client) -> None:
    finish(client, submit(client, ("a.wav", wav(1))).json()["jobs"][0]["id"])
    freed = client.post("/api/v1/system/free-memory").json()
    assert "fake" in freed["unloaded"]
    assert freed["freed_bytes"] >= 0


def test_health_readiness_and_metrics(server: Server, client: httpx.Client) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"status": "ready"}
    metrics = client.get("/metrics").text
    assert 'shengfang_jobs{state="queued"}' in metrics
    assert "shengfang_ready 1.0" in metrics


@pytest.mark.parametrize("full", ["data", "elsewhere"])
def test_where_no_job_can_be_written_the_program_is_not_ready_whatever_the_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    for name in ("data", "elsewhere"):
        (tmp_path / name).mkdir()
    real = shutil.disk_usage
    with (
        serving(tmp_path, workers=False, history_db=tmp_path / "elsewhere" / "history.db") as server,
        server.api() as client,
    ):
        assert client.get("/readyz").status_code == 200

        def usage(path: Path) -> Any:
            return real(path)._replace(free=10 * 2**20) if full in Path(path).parts else real(path)

        monkeypatch.setattr(shutil, "disk_usage", usage)
        answer = client.get("/readyz", headers={"accept-language": "en"})
        assert answer.status_code == 503 and "10 MB left" in answer.text
        monkeypatch.undo()
        assert client.get("/readyz").status_code == 200


def test_a_program_that_is_about_to_end_is_not_ready_and_lets_nobody_wait(tmp_path: Path) -> None:
    with serving(tmp_path, workers=False) as server, server.api() as client:
        since = client.get("/api/v1/changes").json()["since"]
        answers: list[httpx.Response] = []
        calls = [
            lambda: client.get("/api/v1/changes", params={"since": since, "wait": 50}),
            lambda: client.post("/v1/audio/transcriptions", files={"file": ("a.wav", wav(1))}),
            lambda: client.post("/v1/audio/speech", json={"input": "你好。", "stream": True}),
        ]
        threads = [threading.Thread(target=lambda call=call: answers.append(call())) for call in calls]
        for thread in threads:
            thread.start()
        while client.get("/api/v1/system").json()["queue"]["queued"] < 2:
            time.sleep(0.05)
        server.services.begin_stop()
        for thread in threads:
            thread.join(30)
        assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
        assert all("x-job-id" in answer.headers for answer in answers if answer.status_code == 503)
        ready = client.get("/readyz")
        assert code(ready) == (503, "UNAVAILABLE")
        assert ready.json()["reasons"][0]["message"]


def test_the_schema_is_there_and_the_documentation_pages_are_not(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert {"/api/v1/jobs", "/api/v1/voices", "/v1/audio/transcriptions", "/v1/audio/speech"} <= schema["paths"].keys()
    assert "multipart/form-data" in schema["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]
    for path in ("/docs", "/redoc"):
        assert code(client.get(path)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", (404, "NOT_FOUND")),
        ("POST", "/api/v2/jobs", (404, "NOT_FOUND")),
        ("PUT", "/api/v1/jobs", (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", "/readyz", (405, "METHOD_NOT_ALLOWED")),
        ("GET", "/ws/live", (404, "NOT_FOUND")),
        ("GET", "/api/v1/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", (404, "NOT_FOUND")),
        ("GET", "/gradio_api/file=/etc/passwd", (404, "NOT_FOUND")),
        ("GET", "/nowhere", (404, "NOT_FOUND")),
    ],
)
def test_what_is_not_there_answers_in_one_shape(
    client: httpx.Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert code(client.request(method, path)) == expected


def test_every_route_refuses_a_strange_host_and_a_foreign_origin(server: Server, client: httpx.Client) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            address = path.format(uid="0" * 32, number=0, file_format="txt", batch="0" * 32, name="x")
            strange = client.request(method, address, headers={"host": "evil.example"})
            assert code(strange) == (403, "FORBIDDEN_HOST"), path
            if method != "get":
                foreign = client.request(method, address, headers={"origin": "http://evil.example"})
                assert code(foreign) == (403, "FORBIDDEN_ORIGIN"), path


def test_every_answer_of_a_route_is_closed_to_other_sites(client: httpx.Client) -> None:
    for path in ("/api/v1/jobs", "/healthz", "/metrics", "/openapi.json", "/nowhere"):
        headers = client.get(path, headers={"origin": "http://evil.example"}).headers
        assert headers.keys() >= guard.SECURITY_HEADERS.keys()
        assert not [name for name in headers if name.startswith("access-control-")]
