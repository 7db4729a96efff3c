"""What the reader does while answers are on their way is not taken back by them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright import sync_api
from playwright.sync_api import expect

from tests.browser.kit import Opener, choose_model

pytestmark = pytest.mark.browser


def held_back(page: sync_api.Page, path: str) -> Callable[[], None]:
    """From the next load on, answers to `path` wait until the returned function is called."""
    waiting: list[sync_api.Route] = []
    held = [True]
    page.route(path, lambda route: waiting.append(route) if held else route.continue_())

    def let_go() -> None:
        held.clear()
        for route in waiting:
            route.continue_()

    return let_go


def test_a_voice_that_was_chosen_before_the_list_arrived_stays_chosen(open_page: Opener) -> None:
    page = open_page("clone")
    let_go = held_back(page, "**/api/v1/voices")
    with page.expect_request("**/api/v1/voices"):
        page.reload()
    page.get_by_role("combobox", name="声音").click()
    page.get_by_role("option", name="内置").click()
    with page.expect_response("**/api/v1/voices"):
        let_go()
    page.wait_for_timeout(1000)  # nothing else tells that the answer has been taken
    expect(page.get_by_role("combobox", name="声音")).to_have_value(re.compile("内置"))


def test_what_was_chosen_before_the_models_arrived_stays_chosen(open_page: Opener) -> None:
    page = open_page("transcribe")
    let_go = held_back(page, "**/api/v1/models")
    page.reload()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_text("更多选项").click()
    panel.get_by_label("分开").check()
    let_go()
    choose_model(page, "fake")
    expect(panel.get_by_label("分开")).to_be_checked()


def test_a_text_that_was_written_before_the_scripts_arrived_stays(open_page: Opener) -> None:
    page = open_page("clone")
    let_go = held_back(page, "**/static/main.js")
    page.reload(wait_until="commit")
    page.get_by_role("tab", name="克隆").click()
    page.locator("#sf-text textarea").fill("您好。")
    let_go()
    expect(page.locator(".sf-counter")).to_have_text("3 字")
    expect(page.locator("#sf-text textarea")).to_have_value("您好。")


def test_a_lexicon_that_has_not_arrived_cannot_be_written_over(open_page: Opener) -> None:
    page = open_page("voices")
    let_go = held_back(page, "**/api/v1/lexicon")
    page.reload()
    page.get_by_text("发音词典").click()
    box, save = page.locator("sf-lexicon textarea"), page.locator("sf-lexicon").get_by_role("button", name="保存")
    expect(box).to_be_disabled()
    expect(save).to_be_disabled()
    let_go()
    expect(box).to_be_editable()
    page.route("**/api/v1/lexicon", lambda route: route.abort())
    page.reload()
    page.get_by_text("发音词典").click()
    expect(page.locator("sf-lexicon [role=alert]")).to_be_visible()
    expect(save).to_be_disabled()
    page.unroute("**/api/v1/lexicon")
    page.locator("sf-lexicon").get_by_role("button", name="重试").click()
    expect(box).to_be_editable()
