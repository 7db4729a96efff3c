"""The door in front of every route, the mounted pages included: who may come in, how much may be sent, what leaves.

Pure ASGI, so that streams stay streams. It checks the Host (against DNS rebinding) and the Origin (against
cross-site requests), bounds the request's body, says who the caller is, answers HEAD as GET without a body, and sees
to security headers and to the one shape of errors. What of the mounted Gradio can be reached, `pages/` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.disk import worded
from webui.errors import UserError
from webui.server.errors import MARK, error_response, logged, status_response
from webui.service.accounts import COOKIE
from webui.settings import Settings

COOKIE_AGE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie
BODY_LIMIT = 4 * 2**20  # bytes, of a request without files
FORM_SLACK = 2**20  # bytes, what a form's fields and headers may add to its files
IDLE_S = 30.0  # seconds of waiting for the next IDLE_BYTES before an upload is given up
IDLE_BYTES = 4096  # a byte a second is no upload
LINGER_S, LINGER_BYTES = 5.0, 256 * 2**20  # how long and how much of a refused body is still read

UPLOAD_ROUTES = ("/api/v1/jobs", "/api/v1/voices", "/v1/audio/transcriptions")
OWNED = ("/api/", "/v1/", "/ws/")
HEALTH = ("/healthz", "/readyz", "/metrics")

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob: data:; connect-src 'self' blob: data:; font-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}


class Owners(Protocol):
    """Who a cookie belongs to; the part of the account service that the guard needs."""

    def known(self, token: str | None) -> int: ...

    def is_token(self, token: str | None) -> bool: ...

    def new_token(self) -> str: ...


class Guard:
    """ASGI middleware; `owners` looks the cookie up, in a thread."""

    def __init__(self, app: ASGIApp, settings: Settings, owners: Owners) -> None:
        self.app = app
        self.settings = settings
        self.owners = owners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        exchange = _Exchange(connection, receive, send, self._body_limit(connection), self._fresh_cookie(connection))
        try:
            self._admit(connection, exchange.limit)
            await self._identify(connection)
        except UserError as error:
            await _refuse(error, connection, receive, exchange.send)
        except Exception:
            await _refuse(logged(connection), connection, receive, exchange.send)
        else:
            await exchange.run(self.app)

    def _admit(self, connection: HTTPConnection, limit: int) -> None:
        """Raises FORBIDDEN_HOST, FORBIDDEN_ORIGIN or TOO_LARGE."""
        host = connection.headers.get("host", "")
        if not host_allowed(host, self.settings.allowed_hosts):
            raise UserError("FORBIDDEN_HOST", host=host[:200])
        origin = connection.headers.get("origin")
        changes = connection.scope["type"] == "websocket" or connection.scope["method"] not in ("GET", "HEAD")
        if changes and origin is not None and origin.partition("://")[2].lower() != host.lower():
            raise UserError("FORBIDDEN_ORIGIN", origin=origin[:200])
        length = connection.headers.get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise too_large(limit)

    async def _identify(self, connection: HTTPConnection) -> None:
        if connection.scope["path"].startswith(OWNED):
            token = connection.cookies.get(COOKIE)
            connection.state.owner = await run_in_threadpool(self.owners.known, token)

    def _body_limit(self, connection: HTTPConnection) -> int:
        form = connection.headers.get("content-type", "").startswith("multipart/form-data")
        if form and connection.scope["path"] in UPLOAD_ROUTES:
            return self.settings.max_upload_bytes + FORM_SLACK
        return BODY_LIMIT

    def _fresh_cookie(self, connection: HTTPConnection) -> str | None:
        """A cookie for a browser that opens the page without one; API clients never get any."""
        page = (
            connection.scope["type"] == "http"
            and connection.scope["method"] == "GET"
            and connection.scope["path"] == "/"
            and "text/html" in connection.headers.get("accept", "")
        )
        if not page or self.owners.is_token(connection.cookies.get(COOKIE)):
            return None
        secure = "; Secure" if connection.scope["scheme"] == "https" else ""
        value = self.owners.new_token()
        return f"{COOKIE}={value}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Lax{secure}"


class _Exchange:
    """One request and its response, watched from outside."""

    def __init__(
        self, connection: HTTPConnection, receive: Receive, send: Send, limit: int, cookie: str | None
    ) -> None:
        self.connection = connection
        self.limit = limit
        self._cookie = cookie
        self._receive = receive
        self._send = send
        self._head = _is_head(connection)
        self._received = 0
        self._awaited = IDLE_BYTES  # bytes received that renew the limit
        self._left_s = IDLE_S
        self._body_ended = connection.scope["type"] == "websocket"
        self._started = False
        self._replaced = False
        self._failure: UserError | None = None

    async def run(self, app: ASGIApp) -> None:
        """Call the application; an exception becomes INTERNAL, a client that left is no error."""
        scope = {**self.connection.scope, "method": "GET"} if self._head else self.connection.scope
        try:
            await app(scope, self.receive, self.send)
        except ClientDisconnect:
            return
        except Exception as error:
            if self._started or self.connection.scope["type"] == "websocket":
                raise
            worded = error if isinstance(error, UserError) else logged(self.connection)
            response = error_response(worded, self.connection)
            await response(self.connection.scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The next message; raises TOO_LARGE or UPLOAD_STALLED, which then is the answer whoever catches it."""
        if self._body_ended:
            return await self._receive()
        began = time.monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), self._left_s)
        except asyncio.TimeoutError:
            raise self._fail(UserError("UPLOAD_STALLED", seconds=int(IDLE_S))) from None
        self._received += len(message.get("body", b""))
        self._left_s -= time.monotonic() - began
        if self._received >= self._awaited:
            self._awaited, self._left_s = self._received + IDLE_BYTES, IDLE_S
        self._body_ended = not message.get("more_body", False)
        if self._received > self.limit:
            raise self._fail(too_large(self.limit))
        return message

    def _fail(self, error: UserError) -> UserError:
        self._failure = error
        self._body_ended = True
        return error

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._replaced:
            return
        elif self._head:
            await self._send({"type": "http.response.body"})
            if message.get("more_body"):
                raise ClientDisconnect  # as if the caller had left: nobody waits for the rest
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        self._started = True
        if message["status"] >= 400 and (self._failure or MARK not in Headers(raw=message["headers"])):
            self._replaced = True
            if self._failure and self._failure.code == "TOO_LARGE":
                await _drain(self._receive)
            response = (
                error_response(self._failure, self.connection)
                if self._failure
                else status_response(message["status"], self.connection)
            )
            await response(self.connection.scope, self._receive, self._send_plain)
        else:
            await self._send_plain(message)

    async def _send_plain(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._dress(MutableHeaders(raw=message["headers"]), message["status"])
        await self._send(message)

    def _dress(self, headers: MutableHeaders, status: int) -> None:
        for name in [name for name in headers if name.startswith("access-control-")]:
            del headers[name]
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if self.connection.scope["path"].startswith(OWNED):
            headers.setdefault("cache-control", "no-store")
        if job := self.connection.scope.get("state", {}).get("job"):
            headers["x-job-id"] = job
        if self._cookie and status < 400:
            headers.append("set-cookie", self._cookie)
            headers["cache-control"] = "no-store"
        if status == 413:
            headers["connection"] = "close"


def _is_head(connection: HTTPConnection) -> bool:
    """Whether to answer as GET would, without the body; Gradio and the static files know HEAD themselves."""
    path = connection.scope["path"]
    return connection.scope.get("method") == "HEAD" and (path.startswith(OWNED) or path in HEALTH)


def host_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Any IP literal and localhost; other names, which an attacker's DNS may point here, only by the setting."""
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    name = name.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    ports = (port,) if port else ("80", "443")  # a browser leaves these out
    if name == "localhost" or {name, *(f"{name}:{port}" for port in ports)} & {entry.lower() for entry in allowed}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def too_large(limit: int) -> UserError:
    return UserError("TOO_LARGE", limit=worded(limit))


async def _refuse(error: UserError, connection: HTTPConnection, receive: Receive, send: Send) -> None:
    if connection.scope["type"] == "websocket":
        close = 1011 if error.notice.worded("en").status >= 500 else 1008  # RFC 6455, 7.4.1
        await send({"type": "websocket.close", "code": close, "reason": error.code})
        return
    if error.code == "TOO_LARGE" and "expect" not in connection.headers:
        await _drain(receive)
    await error_response(error, connection)(connection.scope, receive, send)


async def _drain(receive: Receive) -> None:
    """Read what a client is still sending, within bounds: closed meanwhile, the connection would lose the answer."""
    deadline, left, more = time.monotonic() + LINGER_S, LINGER_BYTES, True
    with contextlib.suppress(asyncio.TimeoutError):
        while more and left > 0:
            message = await asyncio.wait_for(receive(), deadline - time.monotonic())
            left -= len(message.get("body", b""))
            more = message.get("more_body", False)
