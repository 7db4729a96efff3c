"""The pages in a real Chromium against the real application; a plug-in engine of settable speed does the hearing."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright import sync_api

from tests.browser.kit import Opener
from webui.pages import application
from webui.server.application import create_app
from webui.service.services import Services
from webui.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)
# The address bar's popups are a third of the work of opening a page. Chromium heeds its last list alone: the rest is
# what Playwright gives it.
SWITCHED_OFF = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,AimEnabled,AvoidCorsURLLoaderRestartOnRedirect,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsFirstBalancedModeAutoEnable,HttpsUpgrades,"
    "LensOverlay,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints,PaintHolding,PreconnectToSearch,"
    "ThirdPartyStoragePartitioning"
)
SLOW_MS = 30_000  # patience on a busy machine


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole program on a free port: services, workers, routes, pages."""
    root = tmp_path_factory.mktemp("browser")
    (root / "models").mkdir()
    engines = ("benchmarks.fake_engine", "tests.unusual_engine")
    services = Services(Settings(data=root / "data", models=root / "models", engines=engines, disk_reserve_bytes=0))
    services.models.set_options({"default_recognizer": "fake", "default_synthesizer": "fake"})
    app = create_app(services)
    application.mount(app, services)
    services.start()
    listener = socket.create_server(("0.0.0.0", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    services.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[sync_api.Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        options = [*QUIET.split(), f"--disable-features={SWITCHED_OFF}"]
        # Not the program's temporary folder, deep below a test's: a socket's path has 108 bytes.
        environment = {**os.environ, "TMPDIR": "/tmp"}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options, env=environment)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: sync_api.Browser, address: str) -> Iterator[Opener]:
    """Open the page as somebody new; whatever a test does, no request may leave and no script may fail."""
    contexts, requested, failures = [], [], []
    home = address

    def opened(tab: str = "transcribe", locale: str = "zh-CN", width: int = 1280, address: str = home) -> sync_api.Page:
        context = browser.new_context(locale=locale, viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("request", lambda request: requested.append(request.url.replace(address, home)))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{address}/#{tab}")
        page.wait_for_selector("sf-header h1")
        return page

    sync_api.expect.set_options(timeout=SLOW_MS)
    yield opened
    for context in contexts:
        context.close()
    assert [url for url in requested if not url.startswith((home, "data:", "blob:"))] == []
    assert failures == []
