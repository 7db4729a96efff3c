"""Transcribe: from a recording to a text that is heard, corrected and taken away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.kit import LINE, Opener, choose_model, finished, jobs, recording, transcribe

pytestmark = pytest.mark.browser

# As a correction by sound would leave it: the raw text as it was heard, the text with the hotword in its place.
PUT_IN = """async (id) => {
  const {segments: [{n, text, version}]} = await (await fetch(`/api/v1/jobs/${id}/segments`)).json();
  await fetch(`/api/v1/jobs/${id}/segments/${n}`, {
    method: "PATCH", headers: {"content-type": "application/json"},
    body: JSON.stringify({text: text.replace("听到", "声坊"), version}),
  });
}"""


def test_an_upload_becomes_text_that_is_heard_corrected_and_taken_away(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "热线一.wav")
    finished(page)
    expect(page.locator("sf-transcribe .sf-title")).to_have_text("热线一.wav")
    expect(page.locator(LINE).first).to_contain_text("听到")

    page.locator("sf-transcribe audio").evaluate(
        "audio => new Promise(r => audio.readyState ? r() : (audio.onloadedmetadata = r))"
    )
    page.locator("sf-transcribe .sf-time").last.click()
    start = page.locator("sf-transcribe audio").evaluate("audio => audio.currentTime")
    assert start > 0

    page.locator("sf-transcribe .sf-row").first.hover()
    page.get_by_role("button", name="修改这句").first.click()
    page.get_by_role("textbox", name="修改这句").fill("您好，这里是热线。")
    page.keyboard.press("Enter")
    expect(page.locator("sf-transcribe .sf-mark", has_text="已修改")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="TXT").click()
    assert "您好，这里是热线。" in Path(download.value.path()).read_text("utf-8")


def test_a_hotword_that_was_put_in_gives_back_what_was_heard_at_a_click(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "a.wav", hotwords="声坊")
    finished(page)
    page.evaluate(PUT_IN, jobs(page)[0]["id"])
    put_in = page.get_by_role("button", name="听到的是“听到”，按热词写成“声坊”；点击改回")
    put_in.first.click()
    expect(page.locator(LINE).first).to_contain_text("听到")
    expect(put_in).to_have_count(0)


def test_the_last_job_is_shown_to_a_new_window_of_its_owner(open_page: Opener, address: str) -> None:
    page = open_page()
    transcribe(page, "yesterday.wav")
    finished(page)
    window = page.context.new_page()
    window.goto(address)
    expect(window.locator("sf-job .sf-title")).to_have_text("yesterday.wav")


def test_a_recording_that_needs_a_model_leads_to_the_system_tab(open_page: Opener) -> None:
    page = open_page()
    choose_model(page, "内置基础引擎")
    expect(page.get_by_label("热词")).to_be_disabled()
    expect(page.get_by_text("这个模型不支持热词")).to_be_visible()
    page.get_by_role("combobox", name="语言").click()
    page.get_by_role("option", name="中文", exact=True).click()
    transcribe(page, "mandarin.wav")
    expect(page.locator("sf-job [role=alert]")).to_contain_text("不能识别这种语言（中文）")
    page.locator("sf-job").get_by_role("button", name="去“系统”页安装模型").click()
    expect(page.locator("sf-system")).to_contain_text("SenseVoiceSmall")


def test_the_languages_to_choose_are_those_of_the_chosen_model(open_page: Opener) -> None:
    page = open_page()
    choose_model(page, "unusual")
    page.get_by_role("combobox", name="语言").click()
    expect(page.get_by_role("option")).to_contain_text(["自动识别", "斯瓦希里语", "冰岛语"])
    expect(page.get_by_role("option")).to_have_count(3)
    page.get_by_role("option", name="冰岛语").click()
    transcribe(page, "icelandic.wav")
    finished(page)
    assert jobs(page)[0]["params"]["language"] == "is"


def test_a_job_outlives_a_reload_and_can_be_cancelled(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "long.wav", "seconds=8")
    expect(page.locator("sf-transcribe [role=progressbar]")).to_be_visible()
    expect(page.locator("sf-job .sf-title")).to_have_text("long.wav")
    page.reload()
    expect(page.locator("sf-job .sf-title")).to_have_text("long.wav")
    page.locator("sf-job").get_by_role("button", name="取消").click()
    expect(page.locator("sf-job .sf-chip").first).to_have_text(re.compile("取消"))


def test_hotwords_are_kept_chosen_and_marked(open_page: Opener) -> None:
    page = open_page()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_label("热词").fill("听到\n声坊")
    panel.get_by_label("常用词表").fill("医保局")
    panel.get_by_label("常用词表").press("Enter")
    panel.get_by_role("button", name="保存").click()
    expect(page.get_by_text("词表“医保局”已保存")).to_be_visible()
    page.reload()
    page.wait_for_selector("sf-header h1")
    panel.get_by_label("常用词表").click()
    page.get_by_role("option", name="医保局").click()
    expect(panel.get_by_label("热词")).to_have_value("听到\n声坊")
    transcribe(page, "marked.wav")
    expect(page.locator(f"{LINE} mark").first).to_have_text("听到")


def test_a_double_click_makes_one_job(open_page: Opener) -> None:
    page = open_page()
    page.set_input_files("sf-recording input[type=file]", recording("once.wav"))
    page.dblclick("#sf-start-transcribing")
    finished(page)
    assert page.locator(".sf-announcement.sf-error").count() == 0
    assert [job["file_name"] for job in jobs(page)] == ["once.wav"]


def test_choices_outlive_a_reload_and_go_with_several_files_to_the_batch(open_page: Opener) -> None:
    page = open_page()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_label("热词").fill("医保局")
    page.get_by_role("combobox", name="语言").click()
    page.get_by_role("option", name="中文", exact=True).click()
    page.reload()
    page.wait_for_selector("sf-header h1")
    expect(panel.get_by_label("热词")).to_have_value("医保局")
    page.set_input_files("sf-recording input[type=file]", [recording("a.wav"), recording("b.wav")])
    expect(page.locator(".sf-batch-row")).to_have_count(2)
    expect(panel.get_by_label("热词")).to_have_value("医保局")
    page.click("#sf-start-batch")
    expect(page.locator(".sf-batch-row .sf-state-done")).to_have_count(2)
    assert [(job["params"]["hotwords"], job["params"]["language"]) for job in jobs(page)] == [(["医保局"], "zh")] * 2


def test_a_sentence_can_be_heard_while_it_is_corrected(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "heard.wav")
    finished(page)
    audio = page.locator("sf-transcribe audio")
    audio.evaluate("audio => new Promise(r => audio.readyState ? r() : (audio.onloadedmetadata = r))")
    page.get_by_role("button", name="修改这句").last.click()
    row = page.locator("sf-transcribe .sf-editing")
    row.locator(".sf-time").click()
    page.wait_for_function("!document.querySelector('sf-transcribe audio').paused")
    expect(row.get_by_role("textbox")).to_be_visible()
    row.get_by_role("textbox").press("Escape")
    expect(row).to_have_count(0)


def test_the_title_of_the_window_says_how_far_the_work_is(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "slow.wav", "seconds=2")
    page.wait_for_function("/%.*slow.wav/.test(document.title)")
    page.wait_for_function("document.title.startsWith('完成 slow.wav')")


def test_the_browser_asks_before_it_leaves_an_upload(open_page: Opener) -> None:
    page = open_page()
    asks = "() => !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert not page.evaluate(asks)
    held = []
    page.route(
        "**/api/v1/jobs", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    transcribe(page, "leaving.wav")
    expect(page.locator("sf-transcribe [role=progressbar]")).to_be_visible()
    assert page.evaluate(asks)
    held[0].continue_()
    finished(page)
    assert not page.evaluate(asks)


def test_the_next_recording_may_be_started_at_once(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, "第一段.wav")
    transcribe(page, "第二段.wav")
    expect(page.locator("sf-transcribe .sf-title")).to_have_text("第二段.wav")
    page.get_by_role("tab", name="历史").click()
    expect(page.locator(".sf-history-row")).to_have_count(2)
