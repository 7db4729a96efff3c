"""The pages in a real Chromium against the real application; a plug-in engine of settable speed does the hearing."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from webui.pages import application
from webui.server.application import create_app
from webui.service.services import Services
from webui.settings import Settings

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)
SAMPLE = application.STATIC / "samples" / "sample_en.wav"
CANARY = "<img src=x onerror=window.canary=1>"
TABS = ("transcribe", "batch", "clone", "voices", "history", "system")
LINE = "sf-transcribe .sf-said"
SLOW_MS = 30_000  # patience on a busy machine


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole program on a free port: services, workers, routes, pages."""
    root = tmp_path_factory.mktemp("browser")
    (root / "models").mkdir()
    engines = ("benchmarks.fake_engine",)
    services = Services(Settings(data=root / "data", models=root / "models", engines=engines, disk_reserve_bytes=0))
    services.models.set_options({"default_recognizer": "fake", "default_synthesizer": "fake"})
    app = create_app(services)
    application.mount(app, services)
    services.start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    services.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


Opener = Callable[..., sync_api.Page]


@pytest.fixture
def open_page(browser: sync_api.Browser, address: str) -> Iterator[Opener]:
    """Open the page as somebody new; whatever a test does, no request may leave and no script may fail."""
    contexts, requested, failures = [], [], []

    def opened(tab: str = "transcribe", locale: str = "zh-CN", width: int = 1280) -> sync_api.Page:
        context = browser.new_context(locale=locale, viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(f"{address}/#{tab}")
        page.wait_for_selector("sf-header h1")
        return page

    expect.set_options(timeout=SLOW_MS)
    yield opened
    for context in contexts:
        context.close()
    assert [url for url in requested if not url.startswith((address, "data:", "blob:"))] == []
    assert failures == []


def recording(name: str) -> dict[str, object]:
    return {"name": name, "mimeType": "audio/wav", "buffer": SAMPLE.read_bytes()}


def transcribe(page: sync_api.Page, name: str, hotwords: str = "") -> None:
    panel = page.get_by_role("tabpanel").filter(visible=True)
    page.set_input_files("sf-recording input[type=file]", recording(name))
    if hotwords:
        panel.get_by_label("热词").fill(hotwords)
    page.click("#sf-start-transcribing")


def choose_model(page: sync_api.Page, name: str) -> None:
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_role("combobox", name="模型").click()
    page.get_by_role("option", name=name, exact=True).click()


def finished(page: sync_api.Page, panel: str = "sf-transcribe") -> None:
    expect(page.locator(f"{panel} .sf-chip.sf-state-done")).to_be_visible()


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
    page.get_by_role("option", name="中文（普通话）").click()
    transcribe(page, "mandarin.wav")
    page.locator("sf-job").get_by_role("button", name="去“系统”页安装模型").click()
    expect(page.locator("sf-system")).to_contain_text("SenseVoiceSmall")


def test_a_batch_shows_every_file_and_gives_all_results_in_one(open_page: Opener) -> None:
    page = open_page("batch")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("c.wav", SAMPLE.read_bytes())
        writer.writestr("d.wav", SAMPLE.read_bytes())
    letter = {"name": "letter.wav", "mimeType": "audio/wav", "buffer": b"Dear Sir or Madam, this is a letter. " * 40}
    zipped = {"name": "more.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
    page.set_input_files("sf-recordings input[type=file]", [recording("a.wav"), recording("b.wav"), letter, zipped])
    expect(page.locator(".sf-batch-row")).to_have_count(4)
    page.click("#sf-start-batch")
    expect(page.locator(".sf-batch-row .sf-state-done")).to_have_count(4)
    expect(page.locator(".sf-batch-row", has_text="letter.wav").locator(".sf-error-text")).to_be_visible()
    expect(page.locator(".sf-count")).to_contain_text("1 个失败")
    with page.expect_download() as download:
        page.locator("sf-batch").get_by_role("link", name="TXT").click()
    with zipfile.ZipFile(download.value.path()) as results:
        assert len([name for name in results.namelist() if name.endswith(".txt")]) == 4
    page.reload()
    expect(page.locator(".sf-batch-row .sf-state-done")).to_have_count(4)


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
    assert page.evaluate("window.canary") is None


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
    page.get_by_label("状态").select_option("failed")
    expect(rows).to_have_count(0)
    page.get_by_label("状态").select_option("")
    rows.get_by_role("button", name="删除").click()
    rows.get_by_role("button", name="确定删除？").click()
    expect(rows).to_have_count(0)


def test_hostile_names_and_texts_stay_text(open_page: Opener) -> None:
    page = open_page()
    transcribe(page, f"{CANARY}.wav", CANARY)
    finished(page)
    page.locator("sf-transcribe .sf-row").first.hover()
    page.get_by_role("button", name="修改这句").first.click()
    page.get_by_role("textbox", name="修改这句").fill(CANARY)
    page.get_by_role("button", name="保存", exact=True).click()
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
    panel.get_by_role("button", name="保存词表").click()
    expect(page.get_by_text("已保存")).to_be_visible()
    page.reload()
    page.wait_for_selector("sf-header h1")
    panel.get_by_label("常用词表").click()
    page.get_by_role("option", name="医保局").click()
    expect(panel.get_by_label("热词")).to_have_value("听到\n声坊")
    transcribe(page, "marked.wav")
    expect(page.locator(f"{LINE} mark").first).to_have_text("听到")
