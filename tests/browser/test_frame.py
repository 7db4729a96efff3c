"""What holds on every tab: language, width, connection, and that data stays data."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.kit import CANARY, LINE, TABS, Opener, finished, transcribe

pytestmark = pytest.mark.browser


def test_hostile_names_and_texts_stay_text(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, f"{CANARY}.wav", CANARY)
    finished(page)
    page.locator("sf-transcribe .sf-row").first.hover()
    page.get_by_role("button", name="修改这句").first.click()
    page.get_by_role("textbox", name="修改这句").fill(CANARY)
    page.locator("sf-job").get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(LINE).first).to_have_text(CANARY)
    page.get_by_role("tab", name="历史").click()
    expect(page.locator(".sf-history-row .sf-snippet")).to_contain_text(CANARY)
    page.locator(".sf-history-row").get_by_role("button", name="打开").click()
    expect(page.locator("sf-transcribe .sf-title")).to_contain_text("onerror")
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.canary") is None


def test_an_english_browser_sees_english(open_page: Opener) -> None:
    page = open_page(locale="en-US")
    for tab in TABS:
        page.get_by_role("tab", name=tab, exact=False).click()
        page.wait_for_timeout(300)
    page.get_by_role("tab", name="Transcribe").click()
    expect(page.get_by_role("button", name="Transcribe", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert re.findall("[\u4e00-\u9fff]+", page.locator("body").inner_text()) == []


def test_every_tab_fits_a_phone(open_page: Opener) -> None:
    page = open_page(width=390)
    expect(page.locator(".sf-open-mode")).to_be_visible()
    assert page.locator("sf-header").bounding_box()["height"] < 160
    for tab in TABS:
        page.evaluate("tab => { location.hash = tab; }", tab)
        expect(page.locator(f'[role=tab][data-tab-id="{tab}"]')).to_have_attribute("aria-selected", "true")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab


def test_a_lost_connection_is_said_and_taken_back(open_page: Opener) -> None:
    page = open_page()
    page.route("**/api/v1/changes*", lambda route: route.abort())
    page.reload()
    transcribe(page, "quiet.wav")
    expect(page.locator(".sf-lost")).to_be_visible()
    page.unroute("**/api/v1/changes*")
    expect(page.locator(".sf-lost")).to_be_hidden()
    finished(page)


def test_gradio_takes_no_path_of_the_server(address: str) -> None:
    file = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    body = {"data": [file], "fn_index": 0, "session_hash": "s", "event_id": "e"}
    secret = Path("/etc/hostname").read_text().strip()
    with httpx.Client(base_url=address) as client:
        answer = client.post("/gradio_api/queue/join", json=body)
        assert secret not in answer.text
        if answer.status_code == 200:
            assert secret not in client.get("/gradio_api/queue/data", params={"session_hash": "s"}).text
        for path in ("/gradio_api/upload", "/gradio_api/file=/etc/hostname", "/gradio_api/file=http://127.0.0.1/"):
            assert client.get(path).status_code in (404, 405)
        assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 404
