"""History: found again, filtered, exported, tried again, deleted."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.kit import Opener, finished, transcribe

pytestmark = pytest.mark.browser


def test_history_is_searched_filtered_exported_and_deleted(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "供水投诉.wav")
    finished(page)
    transcribe(page, "路灯报修.wav")
    expect(page.locator("sf-transcribe .sf-title")).to_have_text("路灯报修.wav")
    finished(page)
    page.get_by_role("tab", name="历史").click()
    rows = page.locator(".sf-history-row")
    expect(rows).to_have_count(2)
    page.get_by_role("searchbox", name="搜索").fill("供水")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("供水投诉.wav")
    with page.expect_download() as download:
        page.locator("sf-history").get_by_role("link", name="CSV").click()
    exported = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert [row["file_name"] for row in exported] == ["供水投诉.wav"]
    with page.expect_download() as download:
        page.locator("sf-history").get_by_role("link", name="JSON").click()
    assert [job["file_name"] for job in json.loads(Path(download.value.path()).read_text("utf-8"))] == ["供水投诉.wav"]
    page.locator("sf-history").get_by_label("状态").select_option("failed")
    expect(rows).to_have_count(0)
    page.locator("sf-history").get_by_label("状态").select_option("")
    rows.get_by_role("button", name="删除").click()
    rows.get_by_role("button", name="确定删除？").click()
    expect(rows).to_have_count(0)


def test_a_found_word_is_shown_where_it_stands_and_the_filters_are_cleared(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "a.wav")
    finished(page)
    page.get_by_role("button", name="修改这句").first.click()
    page.get_by_role("textbox", name="修改这句").fill("前言很长。" * 40 + "路灯坏了。")
    page.keyboard.press("Enter")
    expect(page.locator("sf-transcribe .sf-mark", has_text="已修改")).to_be_visible()
    page.get_by_role("tab", name="历史").click()
    page.get_by_role("searchbox", name="搜索").fill("路灯")
    expect(page.locator(".sf-history-row mark")).to_have_text("路灯")
    expect(page.locator(".sf-history-row mark")).to_be_in_viewport()
    page.locator("sf-history").get_by_label("状态").select_option("failed")
    expect(page.locator(".sf-history-row")).to_have_count(0)
    page.get_by_role("button", name="清除条件").click()
    expect(page.locator(".sf-history-row")).to_have_count(1)
    expect(page.get_by_role("searchbox", name="搜索")).to_have_value("")


def test_a_double_click_deletes_nothing_and_a_cancelled_job_is_tried_again(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "again.wav", "seconds=2")
    page.locator("sf-job").get_by_role("button", name="取消").click()
    expect(page.locator("sf-job .sf-state-cancelled")).to_be_visible()
    page.get_by_role("tab", name="历史").click()
    row = page.locator(".sf-history-row")
    row.get_by_role("button", name="删除").dblclick()
    expect(row.get_by_role("button", name="确定删除？")).to_be_visible()
    expect(row).to_have_count(1)
    row.get_by_role("button", name="重试").click()
    expect(row.locator(".sf-state-done")).to_be_visible()
