"""The HTTP application: the routes of the public contract behind the guard. The pages are mounted on it by `app.py`."""

from __future__ import annotations

from itertools import takewhile

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webui import __version__
from webui.errors import UserError
from webui.server import batches, devices, history, hotwords, jobs, lexicon, models, openai, system, voices
from webui.server.errors import DOCUMENTED, error_response, register_handlers
from webui.server.guard import Guard
from webui.server.intake import Intake
from webui.service.services import Services

API = ("/api/{rest:path}", "/v1/{rest:path}", "/ws/{rest:path}", "/healthz", "/readyz", "/metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def create_app(services: Services) -> FastAPI:
    """FastAPI's own pages are off, for they load scripts from elsewhere; `/openapi.json` is there."""
    app = FastAPI(title="Shengfang", version=__version__, docs_url=None, redoc_url=None, responses=DOCUMENTED)
    app.state.services = services
    app.state.intake = Intake()
    app.add_middleware(_WithoutBlanks)
    app.add_middleware(Guard, settings=services.settings, owners=services.accounts)
    register_handlers(app)
    for module in (jobs, batches, history, hotwords, voices, lexicon, models, devices, system, openai):
        app.include_router(module.router)
    for path in API:
        app.router.routes.append(Route(path, _nowhere, methods=METHODS, include_in_schema=False))
    return app


async def _nowhere(request: Request) -> Response:
    """What no route answered: 405 where another method would have been, else 404; the pages never see it."""
    methods = _methods_of(request)
    if not methods:
        return error_response(UserError("NOT_FOUND"), request)
    response = error_response(UserError("METHOD_NOT_ALLOWED", method=request.method), request)
    response.headers["allow"] = ", ".join(methods)
    return response


def _methods_of(request: Request) -> list[str]:
    """What a route of the API answers at this address."""
    routes = request.app.router.routes
    ours = list(takewhile(lambda route: getattr(route, "endpoint", None) is not _nowhere, routes))
    asked = ({**request.scope, "method": method} for method in METHODS)
    return [scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in ours)]


class _WithoutBlanks:
    """Query parameters without a value are as if left out: a form sends those that nobody filled in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [part for part in scope["query_string"].split(b"&") if part.partition(b"=")[1:] != (b"=", b"")]
            scope = {**scope, "query_string": b"&".join(given)}
        await self.app(scope, receive, send)
