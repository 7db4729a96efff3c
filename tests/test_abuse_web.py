"""Hostile requests: numbers that are none, paths that climb, origins, payloads for the pages, search, headers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api_kit import Server, code, finish, prompt, serving, submit, wav

JSON = {"content-type": "application/json"}
CONSENT = {"basis": "self", "subject": "本人"}
ODD_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1" + "0" * 400, "1" + "0" * 5000, '"x"', "[]"]
ODD_TEXTS = ['"\\ud800"', "1", "[]", "{}", '"' + "x" * 200_000 + '"', "NaN"]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.browser() as client:
        yield client


@pytest.fixture(scope="module")
def job(client: httpx.Client) -> dict[str, Any]:
    return finish(client, submit(client, ("a.wav", wav(1))).json()["jobs"][0]["id"])


@pytest.mark.parametrize("value", ODD_NUMBERS, ids=lambda value: value[:12])
@pytest.mark.parametrize("field", ["seed", "speed", "steps", "similarity"])
def test_odd_numbers_for_speech_are_422(client: httpx.Client, field: str, value: str) -> None:
    """case 33"""
    response = submit(client, kind="speak", params=f'{{"text": "hello", "{field}": {value}}}')
    assert code(response) == (422, "INVALID_FIELD")


@pytest.mark.parametrize("value", ODD_NUMBERS, ids=lambda value: value[:12])
@pytest.mark.parametrize("field", ["seed", "speed", "steps"])
def test_odd_numbers_in_openais_shape_are_refused(client: httpx.Client, field: str, value: str) -> None:
    """case 33"""
    response = client.post("/v1/audio/speech", content=f'{{"input": "hello", "{field}": {value}}}', headers=JSON)
    assert code(response) in ((422, "INVALID_FIELD"), (400, "BAD_REQUEST"))


@pytest.mark.parametrize("value", ODD_TEXTS, ids=lambda value: value[:10])
@pytest.mark.parametrize("field", ["text", "voice", "model", "device", "language", "instruct", "transcript"])
def test_odd_texts_for_speech_are_answered_with_a_code_and_not_repeated(
    client: httpx.Client, field: str, value: str
) -> None:
    """case 33: half a surrogate pair, which no database keeps, included."""
    given = {"text": '"hello"', field: value}
    response = submit(client, kind="speak", params="{" + ",".join(f'"{k}": {v}' for k, v in given.items()) + "}")
    if field == "instruct" and "xx" in value:
        assert response.status_code in (202, 422)
        return
    assert code(response)[0] in (404, 422)
    assert len(response.content) < 5000


@pytest.mark.parametrize("field", ["model", "device", "language", "hotwords", "channels", "itn"])
def test_odd_values_for_a_transcription_are_422_and_leave_no_file(
    server: Server, client: httpx.Client, field: str
) -> None:
    """case 33"""
    for value in ('"\\ud800"', "{}", '"' + "x" * 100_000 + '"', '["\\udfff"]'):
        response = submit(client, ("a.wav", wav(0.3)), params=f'{{"{field}": {value}}}')
        assert code(response)[0] in (404, 422), (field, value[:20])
    assert list((server.services.settings.cache / "incoming").glob("*")) == []


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "nul", '"x"', "[]", "{" + '"a":1,' * 9 + "}"])
def test_json_that_is_none_is_a_bad_request_everywhere(client: httpx.Client, job: dict[str, Any], text: str) -> None:
    """case 33"""
    assert code(submit(client, kind="speak", params=text)) == (422, "INVALID_FIELD")
    assert code(submit(client, kind="speak", params='{"text": "x"}', consent=text))[0] == 422
    segment = f"/api/v1/jobs/{job['id']}/segments/0"
    for method, path in (
        ("POST", "/v1/audio/speech"),
        ("PUT", "/api/v1/lexicon"),
        ("PUT", "/api/v1/settings"),
        ("PUT", "/api/v1/hotwords/x"),
        ("PATCH", segment),
    ):
        assert code(client.request(method, path, content=text, headers=JSON))[0] in (400, 422), path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/v1/lexicon", '{"entries": {"\\ud800": "好"}}'),
        ("PUT", "/api/v1/lexicon", '{"entries": {"好": "\\udfff"}}'),
        ("PUT", "/api/v1/settings", '{"default_recognizer": "\\ud800"}'),
        ("PATCH", "/api/v1/jobs/{job}/segments/0", '{"version": 0, "text": "\\ud800"}'),
        ("PATCH", "/api/v1/jobs/{job}/segments/0", '{"version": 0, "speaker": "\\ud800"}'),
        ("PATCH", "/api/v1/jobs/{job}/segments/0", '{"version": 1' + "0" * 40 + "}"),
        ("PATCH", "/api/v1/jobs/{job}/segments/-1", '{"version": 0}'),
        ("PATCH", "/api/v1/jobs/{job}/segments/99999999999999999999", '{"version": 0}'),
        ("PATCH", "/api/v1/jobs/{job}/segments/NaN", '{"version": 0}'),
        ("GET", "/api/v1/jobs?from=NaN", ""),
        ("GET", "/api/v1/jobs?from=1e400", ""),
        ("GET", "/api/v1/history.csv?to=9999-12-31T23:59:59-14:00", ""),
        ("GET", "/api/v1/changes?since=-1", ""),
        ("GET", "/api/v1/changes?since=9999999999999999999999999", ""),
        ("GET", "/api/v1/changes?since=0&wait=NaN", ""),
        ("GET", "/api/v1/changes?since=0&wait=1e308", ""),
        ("GET", "/api/v1/jobs/{job}/segments?after=-1", ""),
    ],
)
def test_odd_values_elsewhere_are_422(
    client: httpx.Client, job: dict[str, Any], method: str, path: str, body: str
) -> None:
    """case 33"""
    response = client.request(method, path.format(job=job["id"]), content=body or None, headers=JSON)
    assert code(response)[0] == 422


@pytest.mark.parametrize(
    ("expires_at", "status"),
    [
        ("9999-12-31T23:59:59-14:00", 422),
        ("0001-01-01T00:00:00+14:00", 422),
        (1e300, 422),
        ("never", 422),
        ("0001-01-01T00:00:00", 201),
        ("9999-12-31T23:59:59", 201),
    ],
)
def test_a_consent_at_the_ends_of_the_calendar_spoils_no_list(server: Server, expires_at: object, status: int) -> None:
    """case 33"""
    with server.browser() as client:
        response = client.post(
            "/api/v1/voices",
            data={"name": "v", "consent": json.dumps({**CONSENT, "expires_at": expires_at})},
            files={"file": ("p.wav", prompt())},
        )
        assert response.status_code == status
        assert len(client.get("/api/v1/voices").json()["voices"]) == (status == 201)


def climbs() -> Iterator[str]:
    """Ways to write `..` and `/` that some server has once taken for them."""
    for up in ("..", "%2e%2e", "%252e%252e", ".%2e", "..;", "%c0%ae%c0%ae", "....//"):
        for slash in ("/", "//", "%2f", "%5c", "\\", "%252f"):
            yield (up + slash) * 6 + "etc" + slash + "passwd"
    yield from ("/etc/passwd", "//etc/passwd", "file:///etc/passwd", "C:\\Windows\\win.ini", "%00/etc/passwd")


ROOTS = [
    "/static/",
    "/static/i18n/",
    "/api/v1/jobs/",
    "/api/v1/batches/",
    "/api/v1/voices/",
    "/api/v1/hotwords/",
    "/files/",
    "/gradio_api/file=",
    "/file=",
    "/assets/",
    "/",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the pages, whose own routes serve files too."""
    with serving(tmp_path_factory.mktemp("whole"), pages=True) as server:
        yield server


def raw(server: Server, target: str) -> bytes:
    """The answer to a request line that no client library would send."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


@pytest.mark.parametrize("root", ROOTS)
def test_no_way_of_writing_a_path_leaves_its_folder(whole: Server, root: str) -> None:
    """case 19"""
    for climb in climbs():
        answer = raw(whole, root + climb)
        status = int(answer.split(b" ", 2)[1])
        assert status in (400, 403, 404, 405, 422), (root + climb, status)
        assert b"root:" not in answer


def test_a_path_of_the_server_is_no_input(whole: Server) -> None:
    """cases 19, 20"""
    data = {"path": "/etc/hostname", "url": "http://127.0.0.1/x", "meta": {"_type": "gradio.FileData"}}
    event = {"data": [data], "fn_index": 0, "session_hash": "x"}
    with whole.browser() as client:
        assert code(client.post("/gradio_api/queue/join", json=event)) == (422, "INVALID_FIELD")
        for path in ("/gradio_api/run/predict", "/gradio_api/call/x", "/gradio_api/cancel"):
            assert code(client.post(path, json=event)) == (404, "NOT_FOUND")
        files = {"files": ("x.txt", b"x")}
        assert code(client.post("/gradio_api/upload", files=files)) == (404, "NOT_FOUND")


def test_another_owners_job_is_not_reached_by_any_of_its_addresses(server: Server, job: dict[str, Any]) -> None:
    """case 21"""
    uid = job["id"]
    with server.browser() as other:
        now = other.get("/api/v1/changes").json()["since"]
        for method, path in (
            ("GET", f"/jobs/{uid}"),
            ("GET", f"/jobs/{uid}/audio"),
            ("GET", f"/jobs/{uid}/result.json"),
            ("GET", f"/jobs/{uid.upper()}"),
            ("POST", f"/jobs/{uid}/cancel"),
            ("GET", f"/jobs?before={uid}"),
        ):
            assert code(other.request(method, f"/api/v1{path}")) == (404, "NOT_FOUND"), path
        assert other.get(f"/api/v1/changes?since={max(now - 1, 0)}&wait=0").json()["jobs"] == []
        assert other.get("/api/v1/history.json").json() == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_another_site_can_submit_nothing(server: Server, origin: str) -> None:
    """case 26"""
    with server.browser() as client:
        client.headers["origin"] = origin
        assert code(submit(client, ("a.wav", wav(0.3)))) == (403, "FORBIDDEN_ORIGIN")
        assert client.get("/api/v1/jobs").json()["jobs"] == []
        client.headers["host"] = "evil.example"
        assert code(client.get("/api/v1/jobs")) == (403, "FORBIDDEN_HOST")


def test_nothing_that_was_sent_opens_as_a_page(server: Server, client: httpx.Client) -> None:
    """case 27"""
    uid = submit(client, ("x.html", wav(0.6))).json()["jobs"][0]["id"]
    finish(client, uid)
    for form in ("txt", "srt", "vtt", "json", "csv", "docx"):
        headers = client.get(f"/api/v1/jobs/{uid}/result.{form}").headers
        assert headers["content-disposition"].startswith("attachment")
        assert "html" not in headers["content-type"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
    audio = client.get(f"/api/v1/jobs/{uid}/audio").headers
    assert audio["content-type"].startswith("audio/")
    assert "frame-ancestors 'self'" in audio["content-security-policy"]


def test_an_address_is_no_input_and_nobody_is_asked(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """case 28"""
    asked: list[object] = []
    real = socket.getaddrinfo

    def watched(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", b"127.0.0.1"):
            asked.append(host)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    url = "http://files.bank.example/a.wav"
    assert code(submit(client, file=url)) == (422, "FILE_REQUIRED")
    assert code(submit(client, ("a.wav", url.encode())))[0] == 422
    assert code(submit(client, kind="transcribe", params=json.dumps({"file": url}))) == (422, "INVALID_FIELD")
    spoken = client.post("/v1/audio/speech", json={"input": "x", "voice": url})
    assert code(spoken) == (404, "VOICE_NOT_FOUND")
    assert code(submit(client, ("a.wav", wav(0.3)), params=json.dumps({"model": url})))[0] == 404
    assert asked == []


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '"""',
        "*",
        "NEAR(",
        "text:x",
        "own:u1",
        "a AND",
        "NOT",
        "{x}",
        "^zz",
        "%",
        "_",
        "字" * 5_000,
        "😀",
        "一",
        "\0",
        "') OR 1=1 --",
        "x" * 60_000,
        "\ud7ff\ue000",
        "(" * 5000,
    ],
    ids=lambda query: repr(query[:12]),
)
def test_no_search_fails_or_finds_what_it_should_not(client: httpx.Client, job: dict[str, Any], query: str) -> None:
    """case 31"""
    began = time.monotonic()
    for path in ("jobs", "history.csv", "history.json"):
        response = client.get(f"/api/v1/{path}", params={"q": query})
        assert response.status_code in (200, 400, 414)
    assert job["id"] not in response.text
    assert time.monotonic() - began < 5


def test_sql_is_text_everywhere(server: Server) -> None:
    """case 32"""
    evil = "'; DROP TABLE jobs; --"
    with server.browser() as client:
        consent = json.dumps({**CONSENT, "subject": evil, "evidence": evil})
        data = {"name": evil, "transcript": evil, "consent": consent}
        voice = client.post("/api/v1/voices", data=data, files={"file": (evil, prompt())}).json()
        assert (voice["name"], voice["transcript"], voice["consent"]["subject"]) == (evil, evil, evil)
        assert client.put("/api/v1/hotwords/" + evil.replace(" ", "%20"), json={"words": [evil]}).json()["name"] == evil
        uid = submit(client, (evil + ".wav", wav(0.6))).json()["jobs"][0]["id"]
        finish(client, uid)
        segment = client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"][0]
        edit = {"version": segment["version"], "text": evil, "speaker": evil}
        kept = client.patch(f"/api/v1/jobs/{uid}/segments/0", json=edit).json()
        assert (kept["text"], kept["speaker"]) == (evil, evil)
        spoken = submit(client, kind="speak", params=json.dumps({"text": evil, "voice": evil})).json()["jobs"][0]
        assert (spoken["params"]["text"], spoken["voice"]) == (evil, evil)
        found = client.get("/api/v1/jobs", params={"q": evil}).json()["jobs"]
        assert {entry["id"] for entry in found} == {uid, spoken["id"]}
        for key in ("batch", "before", "kind", "state"):
            assert client.get("/api/v1/jobs", params={key: evil}).status_code in (200, 404, 422)


def test_a_deep_listing_and_a_long_header_do_no_harm(client: httpx.Client) -> None:
    """case 33"""
    assert client.get("/api/v1/jobs", headers={"accept-language": "zh;q=," * 8000}).status_code in (200, 400, 431)
    assert client.get("/api/v1/jobs", headers={"cookie": "shengfang_owner=" + "x" * 20_000}).status_code == 200
    key = client.post("/api/v1/jobs", data={"kind": "speak"}, headers={"idempotency-key": "x" * 300})
    assert code(key)[0] in (400, 422)


def test_the_data_folder_holds_only_names_of_ours(server: Server, job: dict[str, Any]) -> None:
    """cases 14, 19"""
    known = {"uploads", "outputs", "voices", "cache", "history.db", "history.db-wal", "history.db-shm"}
    names = {path.name for path in Path(server.services.settings.data).iterdir()}
    known |= {"history.db.lock", "history.mark", "app.lock", "backups", "ballast"}
    assert {name for name in names if not name.startswith((".", "server"))} <= known
    assert job["id"] in {path.name for path in server.services.settings.uploads.iterdir()}
