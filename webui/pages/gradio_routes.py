"""What of the mounted Gradio can be reached: what its page asks for, and the calls of our two endpoints.

Every other route answers as if it were not there. A call is written anew from the few fields that it needs, texts all
of them, so that no file, no other function and nothing that Gradio may learn to read one day comes through; and its
session is its caller's, so that nobody hears the answers to another's calls.
"""

from __future__ import annotations

from collections.abc import Set
from hashlib import sha256
from typing import Annotated
from urllib.parse import urlencode

from gradio.routes import App
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from webui.errors import UserError
from webui.pages import gradio_internals
from webui.pages.gradio_internals import API, CLOSED, DATA, INFO, JOIN, PAGE_ROUTES
from webui.service.accounts import COOKIE
from webui.service.validation import checked, invalid_field

MOST_TEXTS = 4
Session = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]


class Call(BaseModel):
    """What is read of a client's call."""

    fn_index: int
    data: Annotated[list[str], Field(max_length=MOST_TEXTS)]
    session_hash: Session


class Listener(BaseModel):
    session_hash: Session


class GradioRoutes:
    """ASGI application around Gradio's; `callable_ids` are the events that may be called."""

    def __init__(self, app: App, callable_ids: Set[int]) -> None:
        self._app = app
        self._callable_ids = callable_ids
        self._calls = {("GET", INFO): self._info, ("POST", JOIN): self._join, ("GET", DATA): self._data}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NOT_FOUND, INVALID_FIELD."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        call = self._calls.get((scope["method"], scope["path"]))
        if call is not None:
            scope, receive = await call(scope, receive)
        elif not is_of_the_page(scope["path"]):
            raise UserError("NOT_FOUND")
        await self._app(scope, receive, send)

    async def _info(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        gradio_internals.forget_address(self._app)
        return {**scope, "query_string": b""}, receive

    async def _join(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        request = Request(scope, receive)
        call = await _call(request)
        if call.fn_index not in self._callable_ids:
            raise UserError("NOT_FOUND")
        request.state.token = request.cookies.get(COOKIE)
        call.session_hash = _of_caller(request, call.session_hash)
        return scope, _said_again(call.model_dump_json().encode(), receive)

    async def _data(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        request = Request(scope)
        session = _of_caller(request, checked(Listener, dict(request.query_params)).session_hash)
        if not gradio_internals.has_session(self._app.get_blocks(), session):
            raise UserError("NOT_FOUND")
        return {**scope, "query_string": urlencode({"session_hash": session}).encode()}, receive


def is_of_the_page(path: str) -> bool:
    """Whether Gradio's own page asks for the path; of the API beside it only what runs none of its functions."""
    if not path.startswith(API):
        return not path.startswith(CLOSED)
    rest = path.removeprefix(API)
    return any(rest == route or rest.startswith(f"{route}/") for route in PAGE_ROUTES)


async def _call(request: Request) -> Call:
    try:
        return Call.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_field(error.errors()) from None


def _of_caller(request: Request, session: str) -> str:
    """By the cookie and not the owner: a caller may become one by the very call."""
    token = request.cookies.get(COOKIE, "")
    return f"{sha256(token.encode()).hexdigest()}.{session}"


def _said_again(body: bytes, receive: Receive) -> Receive:
    """What the request's body is now, then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again
