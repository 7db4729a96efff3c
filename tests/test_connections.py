"""Connections that send the head of a request a byte at a time end; browsers beside them notice nothing."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from websockets.sync.client import connect

from webui.cli import serve
from webui.server import connections
from webui.server.connections import HeaderTimeoutProtocol


async def app(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    if scope["type"] == "websocket":
        await receive()  # type: ignore[operator]
        await send({"type": "websocket.accept"})  # type: ignore[operator]
        message = await receive()  # type: ignore[operator]
        await send({"type": "websocket.send", "text": message["text"]})  # type: ignore[operator]
        return
    body = b""
    while (message := await receive()).get("more_body"):  # type: ignore[operator]
        body += message["body"]
    body += message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": body})  # type: ignore[operator]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server with half a second of patience."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    listener = socket.create_server(("127.0.0.1", 0), backlog=300)
    server = uvicorn.Server(uvicorn.Config(app, http=HeaderTimeoutProtocol, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def closed_after(connection: socket.socket, drip: bytes, most: float = 10) -> float:
    """Seconds until the server closes the connection, on which a byte is sent now and then."""
    began, sent = time.monotonic(), iter(drip)
    connection.settimeout(0.05)
    while time.monotonic() - began < most:
        with contextlib.suppress(StopIteration):
            try:
                connection.sendall(bytes([next(sent)]))
            except OSError:
                break
        try:
            if connection.recv(100) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000


@pytest.mark.parametrize("drip", [b"", HEAD])
def test_a_head_that_never_ends_is_given_up(address: tuple[str, int], drip: bytes) -> None:
    with socket.create_connection(address) as connection:
        assert 0.4 < closed_after(connection, drip) < 5


def test_so_is_the_head_of_a_second_request(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert 0.4 < closed_after(connection, HEAD) < 5


def test_a_slow_body_and_a_quiet_websocket_are_not_meant(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
        for byte in b"slow":
            time.sleep(0.25)
            connection.sendall(bytes([byte]))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    with connect("ws://{}:{}/".format(*address)) as browser:
        time.sleep(1)
        browser.send("still here")
        assert browser.recv() == "still here"


def test_a_browser_that_keeps_its_connection_keeps_it(address: tuple[str, int]) -> None:
    with httpx.Client(base_url="http://{}:{}".format(*address)) as client:
        for _ in range(3):
            assert client.post("/", content=b"x").content == b"x"
            time.sleep(0.4)


def test_two_hundred_that_drip_lock_nobody_out(address: tuple[str, int]) -> None:
    drips = [socket.create_connection(address) for _ in range(200)]
    with httpx.Client(base_url="http://{}:{}".format(*address)) as client:
        for drip in drips:
            drip.sendall(HEAD[:40])
        began = time.monotonic()
        assert client.post("/", content=b"x").content == b"x"
        assert time.monotonic() - began < 5
    assert all(closed_after(drip, b"") < 5 for drip in drips)
    for drip in drips:
        drip.close()


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((1024, 4096), (4096, 4096)),
        ((1024, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ((100_000, 200_000), None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None),
    ],
)
def test_the_program_may_open_as_many_files_as_the_system_lets_it(
    limits: tuple[int, int], raised: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _what, given: wanted.append(given))
    serve._allow_many_files()
    assert wanted == ([raised] if raised else [])
