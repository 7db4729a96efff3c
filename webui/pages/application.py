"""The pages at `/`: Gradio lays out tabs and controls, the islands under `static/` talk to `/api/v1`.

No event of the page runs Python and no Gradio route takes a file: beside the page, the mounted application serves the
two named endpoints of `endpoints.py`, and `gradio_routes.py` nothing else of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from webui.pages.gradio_import import without_stubs
from webui.service.accounts import AccountService
from webui.service.jobs import JobService
from webui.settings import Settings, without_proxies, work_offline

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"
TEXTS = FOLDER / "i18n"
LOCALES = ("zh", "en")
STYLES = ("theme.css", "islands.css", "views.css")


class PageServices(Protocol):
    """The part of the services that the pages need."""

    @property
    def settings(self) -> Settings: ...

    @property
    def jobs(self) -> JobService: ...

    @property
    def accounts(self) -> AccountService: ...


class Revalidated(StaticFiles):
    """Static files that a browser asks about each time, so that an upgraded server never meets old scripts."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def mount(app: FastAPI, services: PageServices) -> None:
    """Serve the page at `/` and its files at `/static/`; imports gradio, which takes seconds."""
    work_offline(services.settings)
    with without_stubs(), without_proxies():
        import gradio

        from webui.pages import endpoints, gradio_internals, gradio_routes, layout, theme

    texts = {locale: read_texts(locale) for locale in LOCALES}
    app.mount("/static/i18n", Revalidated(directory=TEXTS), name="texts")
    app.mount("/static", Revalidated(directory=STATIC, packages=[gradio_internals.STATIC]), name="static")
    i18n = gradio.I18n(**texts)
    page = layout.build(i18n)
    callable_ids = endpoints.add(page, services.jobs, services.accounts)
    gradio.mount_gradio_app(
        app,
        page,
        path="/",
        i18n=i18n,
        theme=theme.build(),
        head=head(name for name, _ in layout.TABS),
        favicon_path=str(STATIC / "favicon.svg"),
        footer_links=[],
        show_error=False,
        run_history=False,
        ssr_mode=False,
        pwa=False,
        max_file_size=0,
    )
    mounted = app.router.routes[-1]
    assert isinstance(mounted, Mount) and isinstance(mounted.app, gradio_routes.App)
    mounted.app = gradio_routes.GradioRoutes(mounted.app, callable_ids)
    gradio_internals.quieten_queue(page)
    gradio_internals.forget_callers(page)
    gradio_internals.forbid_server_paths(page)


def read_texts(locale: str) -> dict[str, str]:
    """Every text of the interface in `locale` ("zh" or "en"), by key; `{name}` marks a value to fill in."""
    texts: dict[str, str] = json.loads((TEXTS / f"{locale}.json").read_text("utf-8"))
    return texts


def head(tabs: Iterable[str]) -> str:
    """What the page adds to its <head>: the styles, `static/<tab>.js` of each tab that has one, and `main.js`.

    Scripts run in their order, `main.js` last: what it calls is there. Gradio may fire its first event before any has
    run, so the promise of `main.js` is made here.
    """
    promise = "window.shengfang = {}; shengfang.ready = new Promise((done) => { shengfang.begin = done; });"
    styles = "".join(f'<link rel="stylesheet" href="/static/{name}">' for name in STYLES)
    named = [f"{tab}.js" for tab in tabs if (STATIC / f"{tab}.js").exists()]
    scripts = "".join(f'<script type="module" src="/static/{name}"></script>' for name in (*named, "main.js"))
    return f"<script>{promise}</script>{styles}{scripts}"
