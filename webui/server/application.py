"""The HTTP application: the routes of the public contract behind the guard. The pages are mounted on it by `app.py`."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from webui import __version__
from webui.errors import UserError
from webui.server import devices, history, hotwords, jobs, lexicon, models, openai, system, voices
from webui.server.errors import error_response, register_handlers
from webui.server.guard import Guard
from webui.service.services import Services

API = ("/api/{rest:path}", "/v1/{rest:path}", "/ws/{rest:path}", "/healthz", "/readyz", "/metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def create_app(services: Services) -> FastAPI:
    """FastAPI's own pages are off, for they load scripts from elsewhere; `/openapi.json` is there."""
    app = FastAPI(title="Shengfang", version=__version__, docs_url=None, redoc_url=None)
    app.state.services = services
    app.add_middleware(Guard, settings=services.settings, owners=services.accounts)
    register_handlers(app)
    for module in (jobs, history, hotwords, voices, lexicon, models, devices, system, openai):
        app.include_router(module.router)
    for path in API:
        app.router.routes.append(Route(path, _nowhere, methods=METHODS, include_in_schema=False))
    return app


async def _nowhere(request: Request) -> Response:
    """What no route answered: 405 where another method would have been, else 404; the pages never see it."""
    others = (route for route in request.app.router.routes if route.matches(request.scope)[0] is Match.PARTIAL)
    if next(others, None) is not None:
        return error_response(UserError("METHOD_NOT_ALLOWED", method=request.method), request)
    return error_response(UserError("NOT_FOUND"), request)
