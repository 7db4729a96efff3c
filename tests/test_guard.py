"""The door in front of every route: hosts, origins, limits, cookies, headers, one shape of errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from webui.errors import UserError
from webui.server import guard as guard_module
from webui.server.errors import register_handlers
from webui.server.guard import Guard
from webui.server.multipart import read_form
from webui.settings import Settings

TOKEN = "t" * 43
ALLOWED = ("voice.bank.example", "Only.bank.example:8443", "plain.bank.example:443")


class FakeOwners:
    def known(self, token: str | None) -> int:
        return 7 if self.is_token(token) else 1

    def is_token(self, token: str | None) -> bool:
        return token is not None and len(token) == 43

    def new_token(self) -> str:
        return "n" * 43


@pytest.fixture
def limited(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_bytes": 3 * 2**20, "allowed_hosts": ALLOWED})


@pytest.fixture
def client(limited: Settings) -> httpx.AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None)
    register_handlers(app)

    @app.get("/")
    async def page() -> PlainTextResponse:
        return PlainTextResponse("page", headers={"access-control-allow-origin": "http://evil.example"})

    @app.api_route("/api/v1/echo", methods=["GET", "POST"])
    async def echo(request: Request) -> JSONResponse:
        body = await request.body()
        return JSONResponse({"owner": request.state.owner, "bytes": len(body)})

    @app.post("/api/v1/json")
    async def parsed(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @app.post("/api/v1/jobs")
    async def jobs(request: Request) -> dict[str, Any]:
        async with read_form(request, limited.cache / "incoming") as form:
            return {"sizes": [upload.size for _, upload in form.files], "names": [u.name for _, u in form.files]}

    @app.get("/api/v1/boom")
    async def boom() -> None:
        raise RuntimeError("the secret is /etc/passwd")

    @app.get("/api/v1/foreign")
    async def foreign() -> JSONResponse:
        return JSONResponse({"detail": "Not Found"}, status_code=404)

    app.add_middleware(Guard, settings=limited, owners=FakeOwners())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://192.168.1.5:7860")


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.5:7860", 200),
        ("10.0.0.7", 200),
        ("[fe80::1]:7860", 200),
        ("[::1]", 200),
        ("localhost:7860", 200),
        ("voice.bank.example", 200),
        ("VOICE.bank.example.:7860", 200),
        ("only.bank.example:8443", 200),
        ("only.bank.example", 403),
        ("only.bank.example:7860", 403),
        ("plain.bank.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_only_ip_literals_localhost_and_allowed_names_are_hosts(
    client: httpx.AsyncClient, host: str, status: int
) -> None:
    response = run(client.get("/api/v1/echo", headers={"host": host}))
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "FORBIDDEN_HOST"


def test_a_foreign_origin_may_not_change_anything(client: httpx.AsyncClient) -> None:
    evil = {"origin": "http://evil.example"}
    refused = run(client.post("/api/v1/echo", headers=evil))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN_ORIGIN")
    assert run(client.options("/api/v1/echo", headers=evil)).status_code == 403
    assert run(client.post("/api/v1/echo", headers={"origin": "null"})).status_code == 403
    assert run(client.post("/api/v1/echo", headers={"origin": "http://192.168.1.5:7860"})).status_code == 200
    assert run(client.post("/api/v1/echo")).status_code == 200


def test_a_websocket_from_a_foreign_origin_is_closed_before_it_opens(limited: Settings) -> None:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application was reached")

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/ws/live",
        "headers": [(b"host", b"10.0.0.7:7860"), (b"origin", b"http://evil.example")],
        "query_string": b"",
    }
    run(Guard(app, limited, FakeOwners())(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "FORBIDDEN_ORIGIN"}]


def test_only_a_browser_opening_the_page_gets_a_cookie(client: httpx.AsyncClient) -> None:
    html = {"accept": "text/html,application/xhtml+xml"}
    cookie = run(client.get("/", headers=html)).headers["set-cookie"]
    assert cookie.startswith("shengfang_owner=" + "n" * 43)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    client.cookies.clear()
    assert "Secure" in run(client.get("https://192.168.1.5/", headers=html)).headers["set-cookie"]
    client.cookies.clear()
    assert "set-cookie" not in run(client.get("/", headers={"accept": "*/*"})).headers
    assert "set-cookie" not in run(client.get("/api/v1/echo", headers=html)).headers
    known = {**html, "cookie": f"shengfang_owner={TOKEN}"}
    assert "set-cookie" not in run(client.get("/", headers=known)).headers


def test_the_owner_is_the_cookies_or_the_common_one(client: httpx.AsyncClient) -> None:
    assert run(client.get("/api/v1/echo")).json()["owner"] == 1
    assert run(client.get("/api/v1/echo", headers={"cookie": f"shengfang_owner={TOKEN}"})).json()["owner"] == 7
    bearer = {"authorization": "Bearer whatever"}
    assert run(client.get("/api/v1/echo", headers=bearer)).json()["owner"] == 1


def test_every_answer_has_the_security_headers_and_no_cors(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/echo", "/nowhere"):
        headers = run(client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
    assert run(client.get("/api/v1/echo")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("waits", "read"), [({}, 3), ({"expect": "100-continue"}, 0)])
def test_a_length_above_the_limit_is_refused_while_the_client_can_hear_it(
    client: httpx.AsyncClient, waits: dict[str, str], read: int
) -> None:
    pieces = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(3):
            pieces.append(number)
            yield b"x"

    headers = {"content-length": str(5 * 2**20), "content-type": "application/json", **waits}
    response = run(client.post("/api/v1/echo", content=body(), headers=headers))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "TOO_LARGE")
    assert (response.headers["connection"], len(pieces)) == ("close", read)


def chunks(total: int, head: bytes = b"") -> Callable[[], AsyncIterator[bytes]]:
    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(total // 65536):
            yield b"x" * 65536

    return body


def test_a_body_without_length_is_cut_at_the_limit(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/echo", "/api/v1/json"):
        headers = {"content-type": "application/json"}
        response = run(client.post(path, content=chunks(5 * 2**20)(), headers=headers))
        assert (response.status_code, response.json()["error"]["code"]) == (413, "TOO_LARGE")


def test_an_upload_above_the_limit_leaves_no_file(client: httpx.AsyncClient, limited: Settings) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = run(client.post("/api/v1/jobs", content=chunks(6 * 2**20, head)(), headers=headers))
    assert (response.status_code, response.json()["error"]["code"]) == (413, "TOO_LARGE")
    assert left_over(limited.cache) == []


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_form_arrives_with_its_files_and_their_names(client: httpx.AsyncClient, limited: Settings) -> None:
    files = [("file", ("录音.wav", b"1" * 2_500_000)), ("file", ("b.wav", b""))]
    body = run(client.post("/api/v1/jobs", files=files)).json()
    assert body == {"sizes": [2_500_000, 0], "names": ["录音.wav", "b.wav"]}
    assert left_over(limited.cache) == []


def test_an_extended_file_name_is_understood(client: httpx.AsyncClient) -> None:
    content = (
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%E5%BD%95.wav\r\n\r\nabc\r\n--b--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert run(client.post("/api/v1/jobs", content=content, headers=headers)).json()["names"] == ["录.wav"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b""),
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc"),
        ("multipart/form-data; boundary=b", b"garbage"),
    ],
)
def test_a_body_that_is_no_whole_form_is_a_bad_request(
    client: httpx.AsyncClient, limited: Settings, kind: str, content: bytes
) -> None:
    response = run(client.post("/api/v1/jobs", content=content, headers={"content-type": kind}))
    assert (response.status_code, response.json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert left_over(limited.cache) == []


def test_an_upload_that_stalls_is_given_up(
    client: httpx.AsyncClient, limited: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "IDLE_S", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        await asyncio.sleep(5)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = run(client.post("/api/v1/jobs", content=slow(), headers=headers))
    assert (response.status_code, response.json()["error"]["code"]) == (408, "UPLOAD_STALLED")
    assert left_over(limited.cache) == []


def test_an_internal_error_shows_a_number_and_nothing_else(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = run(client.get("/api/v1/boom", headers={"accept-language": "en"}))
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (500, "INTERNAL", "server_error")
    assert "passwd" not in response.text
    number = error["message"].split("number ")[1].rstrip(").")
    assert number in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("disk I/O error"), UserError("BUSY", retry_after=5)])
def test_a_caller_who_cannot_be_looked_up_gets_our_shape(settings: Settings, error: Exception) -> None:
    class Broken(FakeOwners):
        def known(self, token: str | None) -> int:
            raise error

    guarded = Guard(FastAPI(), settings, Broken())
    transport = httpx.ASGITransport(app=guarded, raise_app_exceptions=False)
    broken = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860")
    response = run(broken.get("/api/v1/jobs", cookies={"shengfang_owner": TOKEN}))
    assert response.status_code == (503 if isinstance(error, UserError) else 500)
    assert response.json()["error"]["code"] in ("BUSY", "INTERNAL") and "I/O" not in response.text
    assert set(guard_module.SECURITY_HEADERS) <= set(response.headers)
    assert ("retry-after" in response.headers) is isinstance(error, UserError)


def test_errors_of_a_mounted_application_get_our_shape(client: httpx.AsyncClient) -> None:
    error = run(client.get("/api/v1/foreign")).json()["error"]
    assert set(error) == {"code", "message", "hint", "type", "param"}
    assert error["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("accept", "english"),
    [
        (None, False),
        ("", False),
        ("en", True),
        ("en-US,en;q=0.9", True),
        ("zh-CN,zh;q=0.9,en;q=0.8", False),
        ("fr, en;q=0.5, zh;q=0.4", True),
        ("fr", False),
        ("en;q=x", False),
    ],
)
def test_errors_speak_the_readers_language(client: httpx.AsyncClient, accept: str | None, english: bool) -> None:
    headers = {} if accept is None else {"accept-language": accept}
    message = run(client.get("/nowhere", headers=headers)).json()["error"]["message"]
    assert message.isascii() == english


def test_a_wrong_method_says_so(client: httpx.AsyncClient) -> None:
    response = run(client.put("/api/v1/boom", content=json.dumps({})))
    assert (response.status_code, response.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "PUT" in response.json()["error"]["message"]


def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    got, head = run(client.get("/api/v1/echo")), run(client.head("/api/v1/echo"))
    assert (head.status_code, head.content) == (200, b"") and len(got.content) > 10
    assert head.headers == got.headers, "content-length is that of the body"
    refused = run(client.head("/api/v1/echo", headers={"host": "evil.example"}))
    assert (refused.status_code, refused.content) == (403, b"")
    for path, status in (("/api/v1/json", 405), ("/api/v1/foreign", 404), ("/api/v1/boom", 500), ("/v1/none", 404)):
        missing = run(client.head(path))
        assert (missing.status_code, missing.content) == (status, b"")


def test_head_of_a_stream_ends_with_its_headers(limited: Settings) -> None:
    made, sent = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def body() -> AsyncIterator[bytes]:
            for part in range(1000):
                made.append(part)
                yield b"x" * 1000

        await StreamingResponse(body())(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    for version in ("2.3", "2.4"):
        made.clear()
        sent.clear()
        scope = {
            "type": "http",
            "method": "HEAD",
            "path": "/api/v1/history.csv",
            "headers": [(b"host", b"10.0.0.1")],
            "query_string": b"",
            "scheme": "http",
            "asgi": {"spec_version": version},
        }
        run(Guard(app, limited, FakeOwners())(scope, receive, send))
        assert made == [0] and [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert not sent[1].get("body") and not sent[1].get("more_body")


def test_a_streamed_answer_is_not_held_back(client: httpx.AsyncClient, limited: Settings) -> None:
    order: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def body() -> AsyncIterator[bytes]:
            for part in ("a", "b"):
                order.append(f"made {part}")
                yield part.encode()

        await StreamingResponse(body())(scope, receive, send)

    async def send(message: Any) -> None:
        if message.get("body"):
            order.append(f"sent {message['body'].decode()}")

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "headers": [(b"host", b"10.0.0.1")],
        "query_string": b"",
        "scheme": "http",
        "asgi": {"spec_version": "2.4"},
    }
    run(Guard(app, limited, FakeOwners())(scope, receive, send))
    assert order == ["made a", "sent a", "made b", "sent b"]
