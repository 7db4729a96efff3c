"""The two named endpoints, asked by Gradio's own client; and that nothing else of Gradio is reached."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.api_kit import Server, code, finish, serving
from webui.pages.gradio_internals import API, DATA, INFO, JOIN
from webui.server.guard import COOKIE

TEXT = "您好，这里是客服中心。"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("endpoints"), pages=True) as server:
        yield server


def caller(server: Server, token: str | None = None) -> Client:
    """Gradio's client, of the shared owner or of one with a cookie."""
    cookies = {COOKIE: token} if token else {}
    return Client(server.url, verbose=False, download_files=False, httpx_kwargs={"cookies": cookies, "timeout": 60})


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return caller(server)


def body(server: Server, name: str, *texts: str) -> dict[str, object]:
    """A call as the client posts it, in a session of its own."""
    events = httpx.get(f"{server.url}/config").json()["dependencies"]
    number = next(event["id"] for event in events if event["api_name"] == name)
    return {"data": texts, "fn_index": number, "session_hash": secrets.token_hex(8)}


def test_the_client_lists_the_two_endpoints_with_their_parameters(client: Client) -> None:
    listed = client.view_api(return_format="dict", print_info=False)
    assert listed["unnamed_endpoints"] == {}
    parameters = {
        name: [(one["parameter_name"], one["parameter_has_default"]) for one in endpoint["parameters"]]
        for name, endpoint in listed["named_endpoints"].items()
    }
    assert parameters == {"/speak": [("text", False), ("voice", True)], "/job": [("id", False)]}


def test_a_text_becomes_a_job_that_can_be_followed(server: Server, client: Client) -> None:
    uid = client.predict(TEXT, api_name="/speak")
    with server.api() as api:
        assert finish(api, uid)["kind"] == "speak"
        assert api.get(f"/api/v1/jobs/{uid}/audio").status_code == 200
        text = api.get(f"/api/v1/jobs/{uid}").json()["text"]
    assert client.predict(uid, api_name="/job") == ("done", text)
    assert text == TEXT


def test_the_client_hears_what_is_wrong_by_code(client: Client) -> None:
    with pytest.raises(AppError, match=r"VOICE_NOT_FOUND: .*[一-龥].* [A-Za-z ]+"):
        client.predict(TEXT, voice="nobody", api_name="/speak")
    with pytest.raises(AppError, match="NOT_FOUND"):
        client.predict("0" * 32, api_name="/job")
    with pytest.raises(AppError, match="NOTHING_TO_SAY"):
        client.predict("  ", api_name="/speak")


def test_another_owners_job_is_not_seen(server: Server, client: Client) -> None:
    token = secrets.token_urlsafe(32)
    mine = caller(server, token)
    uid = mine.predict(TEXT, api_name="/speak")
    assert mine.predict(uid, api_name="/job")[0] in ("queued", "running", "done")
    for other in (client, caller(server, secrets.token_urlsafe(32))):
        with pytest.raises(AppError, match="NOT_FOUND"):
            other.predict(uid, api_name="/job")
    with httpx.Client(base_url=server.url, cookies={COOKIE: token}) as api:
        assert api.get(f"/api/v1/jobs/{uid}").status_code == 200


def test_another_owners_answers_are_not_heard(server: Server) -> None:
    call = body(server, "job", "0" * 32)
    session = {"session_hash": call["session_hash"]}
    with server.browser() as mine, server.browser() as other:
        assert mine.post(JOIN, json=call).status_code == 200
        assert code(other.get(DATA, params=session)) == (404, "NOT_FOUND")
        assert "process_completed" in mine.get(DATA, params=session).text


def test_an_answer_that_nobody_waits_for_is_not_found(server: Server) -> None:
    with server.api() as client:
        assert code(client.get(DATA, params={"session_hash": "unknown"})) == (404, "NOT_FOUND")
        for session in ("", "../x", "x" * 65, "1.x", "a\nb"):
            assert code(client.get(DATA, params={"session_hash": session})) == (422, "INVALID_FIELD"), session


def test_every_other_function_is_refused(server: Server) -> None:
    with server.api() as client:
        events = client.get("/config").json()["dependencies"]
        others = [event["id"] for event in events if event["api_name"] not in ("speak", "job")]
        assert len(others) > 10
        for number in (*others, -1, 10_000):
            call = {**body(server, "job", "x"), "fn_index": number}
            assert code(client.post(JOIN, json=call)) == (404, "NOT_FOUND"), number


@pytest.mark.parametrize(
    "given",
    [
        {"data": [{"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}]},
        {"data": [["a"]]},
        {"data": [1]},
        {"data": ["x"] * 5},
        {"data": "x"},
        {"fn_index": None},
        {"session_hash": None},
        {"session_hash": "../../x"},
    ],
    ids=str,
)
def test_a_call_is_texts_for_a_function_in_a_session(server: Server, given: dict[str, object]) -> None:
    with server.api() as client:
        answer = client.post(JOIN, json={**body(server, "job", "x"), **given})
        assert code(answer) == (422, "INVALID_FIELD")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_a_call_that_is_no_json_is_refused(server: Server, content: bytes) -> None:
    with server.api() as client:
        answer = client.post(JOIN, content=content, headers={"content-type": "application/json"})
        assert code(answer) == (422, "INVALID_FIELD")


def test_half_a_character_is_no_text(server: Server) -> None:
    call = json.dumps(body(server, "job", "\ud800"))
    with server.api() as client:
        answer = client.post(JOIN, content=call, headers={"content-type": "application/json"})
        assert code(answer) == (422, "INVALID_FIELD")


def test_too_few_texts_fail_without_telling_anything(server: Server) -> None:
    call = body(server, "speak")
    with server.api() as client:
        assert client.post(JOIN, json=call).status_code == 200
        answer = client.get(DATA, params={"session_hash": call["session_hash"]}).text
        assert '"success":false' in answer
        assert "Traceback" not in answer


def test_another_site_can_call_nothing(server: Server) -> None:
    with server.api(origin="http://evil.example") as client:
        assert code(client.post(JOIN, json=body(server, "job", "x"))) == (403, "FORBIDDEN_ORIGIN")


def test_the_addresses_in_the_list_are_those_of_its_reader(server: Server) -> None:
    with server.api() as client:
        assert "10.9.8.7" in client.get(INFO, headers={"host": "10.9.8.7:7860"}).text
        assert "10.9.8.7" not in client.get(INFO).text


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/%66ile=/etc/passwd",
        "/gradio_api/proxy=http://10.0.0.1/",
        "/gradio_api//heartbeat/x",
        "/gradio_api/queue/join/",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data/",
        "/gradio_api",
        "/file=/etc/passwd",
        "/monitoring",
    ],
)
def test_other_ways_into_gradio_do_not_exist(server: Server, path: str) -> None:
    with server.api() as client:
        assert code(client.get(path)) == (404, "NOT_FOUND")


def test_what_the_page_asks_for_is_answered(server: Server) -> None:
    with server.api() as client:
        assert client.get("/gradio_api/theme.css").status_code == 200
        with client.stream("GET", "/gradio_api/heartbeat/abc") as beat:
            assert beat.status_code == 200


def test_no_other_route_of_gradio_is_reached(server: Server) -> None:
    from gradio import routes

    found = re.findall(r"@router\.(\w+)\(\s*f?\"(/[^\"]*)\"", Path(routes.__file__).read_text("utf-8"))
    assert len(found) > 50
    opened = []
    with server.api() as client:
        for method, route in found:
            path = API + re.sub(r"\{\w+(:path)?\}", "x", route)
            if "heartbeat" in path:
                continue
            answer = client.request(method, path, json=None if method == "get" else {})
            if (answer.status_code, answer.headers.get("x-error-code")) != (404, "NOT_FOUND"):
                opened.append((method, route))
    assert opened == [
        ("get", "/info"),
        ("post", "/queue/join"),
        ("get", "/queue/data"),
        ("get", "/startup-events"),
        ("get", "/theme.css"),
    ]
