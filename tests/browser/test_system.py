"""System: what the administrator sees, and what only the server itself may do."""

from __future__ import annotations

import pytest
from playwright import sync_api
from playwright.sync_api import expect

from tests.browser.kit import Opener

pytestmark = pytest.mark.browser


def without_real_models(page: sync_api.Page) -> None:
    """A server that has the basic engine only."""

    def answer(route: sync_api.Route) -> None:
        listing = route.fetch().json()
        listing["models"] = [model for model in listing["models"] if model["name"] == "basic"]
        route.fulfill(json=listing)

    page.route("**/api/v1/models", answer)
    page.reload()


def test_without_a_model_the_page_says_what_to_install(open_page: Opener) -> None:
    page = open_page("system")
    expect(page.locator("sf-system .sf-model").first).to_be_visible()
    expect(page.get_by_text("请先安装一个识别模型")).to_have_count(0)
    without_real_models(page)
    expect(page.get_by_text("请先安装一个识别模型")).to_be_visible()


def test_another_computer_is_told_how_to_install_instead_of_being_refused(open_page: Opener, address: str) -> None:
    page = open_page("system")
    expect(page.get_by_role("button", name="下载安装").first).to_be_visible()
    page = open_page("system", address=address.replace("127.0.0.1", "127.0.0.2"))
    how = page.get_by_text("如何安装", exact=True).first
    how.click()
    expect(page.get_by_text("./start_app.sh models pull Fun-ASR-Nano-2512")).to_be_visible()
    expect(page.get_by_role("button", name="下载安装")).to_have_count(0)
    page.get_by_role("button", name="重新检查").click()
    expect(page.locator(".sf-announcement")).to_contain_text("已重新检查")


def test_devices_and_disk_are_shown(open_page: Opener) -> None:
    page = open_page("system")
    device = page.locator("section", has=page.get_by_role("heading", name="计算设备")).locator(".sf-model").first
    expect(device).to_contain_text("可用")
    expect(device).to_contain_text("内存空闲")
    expect(page.locator(".sf-definitions")).to_contain_text("剩余")
