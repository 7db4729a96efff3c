"""Clone and Voices: a voice, its consent, and what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright import sync_api
from playwright.sync_api import expect

from tests.browser.kit import CANARY, Opener, finished, jobs, recording

pytestmark = pytest.mark.browser


def test_a_voice_is_cloned_from_the_sample_only_with_consent(open_page: Opener) -> None:
    page = open_page("clone")
    page.get_by_role("button", name="用示例声音").click()
    expect(page.locator("sf-prompt .sf-file")).to_be_visible()
    expect(page.get_by_label("这是谁的声音")).not_to_have_value("")
    page.locator("#sf-text textarea").fill("您好，您的问题已经受理。")
    expect(page.locator(".sf-counter")).to_have_text("12 字")
    page.get_by_label("这是谁的声音").fill("")
    page.click("#sf-start-speaking")
    expect(page.locator("sf-prompt [role=alert]")).to_contain_text("克隆声音需要授权")
    page.get_by_label("这是谁的声音").fill("示例")
    page.click("#sf-start-speaking")
    finished(page, "sf-speech")
    audio = page.locator("sf-speech audio")
    audio.evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelector('sf-speech audio').currentTime > 0")
    expect(page.locator("sf-speech")).to_contain_text("内容由 AI 生成")
    with page.expect_download() as download:
        page.locator("sf-speech").get_by_role("link", name="下载 WAV").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"RIFF"


def test_a_voice_is_saved_spoken_with_and_withdrawn(open_page: Opener) -> None:
    page = open_page("voices")
    form = page.locator(".sf-voice-form")
    form.get_by_role("button", name="用示例声音").click()
    expect(form.get_by_label("这是谁的声音")).not_to_have_value("")
    form.get_by_label("音色名称").fill(CANARY)
    form.get_by_role("button", name="保存音色").click()
    card = page.locator(".sf-voice")
    expect(card.locator(".sf-title")).to_have_text(CANARY)
    page.get_by_role("tab", name="克隆").click()
    page.get_by_role("combobox", name="声音").click()
    page.get_by_role("option", name=CANARY).click()
    expect(page.locator('sf-prompt[where="clone"]')).to_be_hidden()
    page.locator("#sf-text textarea").fill(f"您好。{CANARY}")
    page.click("#sf-start-speaking")
    finished(page, "sf-speech")
    page.get_by_role("tab", name="音色").click()
    card.get_by_role("button", name="撤回授权").click()
    card.get_by_role("button", name="确定撤回？").click()
    expect(card).to_contain_text("授权已撤回")
    page.get_by_role("tab", name="克隆").click()
    speech = page.locator("sf-speech")
    speech.get_by_role("link", name="下载 WAV").click()
    expect_refused(speech, "授权已过期或已撤回")
    page.reload()
    expect_refused(speech, "授权已过期或已撤回")
    assert page.evaluate("window.canary") is None


def expect_refused(speech: sync_api.Locator, reason: str) -> None:
    """The reason stands where the player and its download were."""
    expect(speech.locator("[role=alert]")).to_contain_text(reason)
    expect(speech.locator("audio")).to_have_count(0)
    expect(speech.get_by_role("link", name="下载 WAV")).to_have_count(0)


def test_a_job_whose_voice_is_withdrawn_is_not_offered_again(open_page: Opener) -> None:
    page = open_page("voices")
    save_sample_voice(page, "前台")
    page.locator(".sf-voice").get_by_role("button", name="用它朗读").click()
    page.locator("#sf-text textarea").fill("还有一句。" * 20)
    page.get_by_role("combobox", name="语气指令").fill("0.4")
    page.click("#sf-start-speaking")
    speech = page.locator("sf-speech")
    expect(speech.locator(".sf-said").first).to_be_visible()
    voices = page.evaluate("fetch('/api/v1/voices').then((answer) => answer.json())")["voices"]
    page.evaluate(f"fetch('/api/v1/voices/{voices[0]['id']}/revoke', {{method: 'POST'}})")
    expect(speech.locator(".sf-chip.sf-state-failed")).to_be_visible()
    expect(speech.locator("[role=alert]")).to_contain_text("授权已过期或已撤回")
    expect(speech.get_by_role("button", name="重试")).to_have_count(0)


def test_sentences_just_spoken_play_from_their_times(open_page: Opener) -> None:
    page = open_page("clone")
    choose_builtin(page)
    page.locator("#sf-text textarea").fill("第一句话说完了。[停顿 2s]第二句话来了。第三句话也来了。")
    page.get_by_role("combobox", name="语气指令").fill("0.3")
    page.click("#sf-start-speaking")
    finished(page, "sf-speech")
    times = page.locator("sf-speech .sf-time")
    expect(times).to_have_text(["0:00", "0:02", "0:03"])
    times.nth(2).click()
    page.wait_for_function("document.querySelector('sf-speech audio').currentTime > 2.5")


@pytest.mark.parametrize("chosen", [True, False])
def test_an_instruction_is_chosen_or_written(open_page: Opener, chosen: bool) -> None:
    page = open_page("clone")
    page.get_by_role("combobox", name="声音").click()
    page.get_by_role("option", name="内置").click()
    page.locator("#sf-text textarea").fill("您好。")
    instruct, seconds = page.get_by_role("combobox", name="语气指令"), "0.02" if chosen else "0.01"
    if chosen:
        instruct.click()
        page.get_by_role("option", name=seconds).click()
    else:
        instruct.fill(seconds)
    with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/jobs")) as sent:
        page.click("#sf-start-speaking")
    assert f'"instruct":"{seconds}"' in sent.value.post_data
    finished(page, "sf-speech")


def test_a_prompt_is_recognised_into_a_draft_of_its_transcript(open_page: Opener) -> None:
    page = open_page("voices")
    form = page.locator(".sf-voice-form")
    form.get_by_role("button", name="用模型识别填入").click()
    expect(form.locator("[role=alert]")).to_be_visible()
    form.get_by_role("button", name="用示例声音").click()
    expect(form.locator(".sf-file")).to_be_visible()
    form.get_by_label("录音里说的话").fill("")
    form.get_by_role("button", name="用模型识别填入").click()
    expect(form.get_by_label("录音里说的话")).to_have_value(re.compile("听到"))


def test_the_lexicon_is_written_a_line_a_word(open_page: Opener) -> None:
    page = open_page("voices")
    page.get_by_text("发音词典").click()
    lines = page.get_by_role("textbox", name="发音词典")
    lines.fill("重庆 = chonk2")
    page.locator("sf-lexicon").get_by_role("button", name="保存", exact=True).click()
    expect(page.locator("sf-lexicon [role=alert]")).to_contain_text("chonk2")
    lines.fill(f"重庆 = chong2 qing4\nNPU＝{CANARY}\n")
    page.locator("sf-lexicon").get_by_role("button", name="保存", exact=True).click()
    expect(lines).to_have_value(f"重庆 = [chong2][qing4]\nNPU = {CANARY}")
    lines.fill("")
    page.locator("sf-lexicon").get_by_role("button", name="保存", exact=True).click()
    expect(page.locator(".sf-announcement")).to_have_text("已保存")
    assert page.evaluate("window.canary") is None


def choose_builtin(page: sync_api.Page) -> None:
    page.get_by_role("combobox", name="声音").click()
    page.get_by_role("option", name="内置").click()


def save_sample_voice(page: sync_api.Page, name: str) -> None:
    form = page.locator(".sf-voice-form")
    form.get_by_role("button", name="用示例声音").click()
    expect(form.get_by_label("这是谁的声音")).not_to_have_value("")
    form.get_by_label("音色名称").fill(name)
    form.get_by_role("button", name="保存音色").dblclick()
    expect(page.locator(".sf-voice .sf-title")).to_have_text(name)


def test_a_text_is_read_once_and_outlives_a_reload(open_page: Opener) -> None:
    page = open_page("clone")
    choose_builtin(page)
    text = "第一段，您好。\n\n第二段，再见。"
    page.locator("#sf-text textarea").fill(text)
    expect(page.locator(".sf-counter")).to_have_text("16 字")
    page.reload()
    expect(page.locator("#sf-text textarea")).to_have_value(text)
    expect(page.locator(".sf-counter")).to_have_text("16 字")
    choose_builtin(page)
    page.dblclick("#sf-start-speaking")
    finished(page, "sf-speech")
    assert len(jobs(page)) == 1


def test_a_wrong_mark_is_named_and_not_offered_again_unchanged(open_page: Opener) -> None:
    page = open_page("clone")
    choose_builtin(page)
    page.locator("#sf-text textarea").fill("这首歌很[h][ǎoo]听。")
    page.click("#sf-start-speaking")
    problem = page.locator("sf-speech [role=alert]")
    expect(problem).to_contain_text("ǎoo")
    expect(page.locator("sf-speech").get_by_role("button", name="重试")).to_have_count(0)
    page.locator("#sf-text textarea").fill("这首歌很[h][ǎo]听。")
    page.click("#sf-start-speaking")
    finished(page, "sf-speech")


def test_a_recording_is_given_a_saved_voice(open_page: Opener) -> None:
    page = open_page("clone")
    page.get_by_role("radio", name="给录音变声").check()
    expect(page.get_by_text("变声要用已保存的音色")).to_be_visible()
    page.get_by_role("tab", name="音色").click()
    save_sample_voice(page, "前台")
    page.locator(".sf-voice").get_by_role("button", name="用它朗读").click()
    expect(page.get_by_role("combobox", name="声音")).to_have_value("前台")
    expect(page.locator("#sf-text textarea")).to_be_hidden()
    page.set_input_files("sf-source input[type=file]", recording("通知.wav"))
    page.click("#sf-start-speaking")
    finished(page, "sf-speech")
    expect(page.locator("sf-speech .sf-title")).to_have_text("通知.wav")
    with page.expect_download() as download:
        page.locator("sf-speech").get_by_role("link", name="下载 WAV").click()
    assert download.value.suggested_filename == "通知.wav"
    assert [(job["kind"], job["voice"]) for job in jobs(page)] == [("convert", "前台")]


def test_the_transcript_of_a_saved_voice_is_corrected(open_page: Opener) -> None:
    page = open_page("voices")
    save_sample_voice(page, "前台")
    card = page.locator(".sf-voice")
    card.get_by_role("button", name="修改名称和文字").click()
    card.get_by_label("音色名称").fill("前台播音")
    card.get_by_label("录音里说的话").fill(CANARY)
    card.get_by_role("button", name="保存").click()
    expect(card.locator(".sf-title")).to_have_text("前台播音")
    expect(card.locator(".sf-voice-transcript")).to_have_text(CANARY)
    assert page.evaluate("window.canary") is None


@pytest.mark.parametrize(
    ("locale", "summary", "mark"),
    [("zh-CN", "读音和停顿", "[停顿 0.8s]"), ("en-GB", "Pronunciation and pauses", "[pause 0.8s]")],
)
def test_a_pause_is_put_where_the_cursor_stands(open_page: Opener, locale: str, summary: str, mark: str) -> None:
    page = open_page("clone", locale=locale)
    area = page.locator("#sf-text textarea")
    area.fill("你好世界")
    area.evaluate("area => area.setSelectionRange(2, 2)")
    page.get_by_text(summary).click()
    page.get_by_role("button", name=mark).click()
    expect(area).to_have_value(f"你好{mark}世界")
