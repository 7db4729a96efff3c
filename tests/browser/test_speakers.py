"""A speaker is named once, on the page, for the whole transcript."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.kit import CANARY, Opener, finished, split_recording

pytestmark = pytest.mark.browser


def test_a_speaker_is_named_once_for_the_whole_text(open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="更多选项").click()
    page.get_by_role("radio", name="分开").check()
    page.set_input_files("sf-recording input[type=file]", split_recording("call.wav"))
    page.click("#sf-start-transcribing")
    finished(page)
    speaker = page.locator("sf-transcribe .sf-speaker", has_text="声道 1")
    count = speaker.count()
    assert count > 0
    speaker.first.click()
    page.get_by_role("textbox", name="给这位说话人起名").fill(CANARY)
    page.keyboard.press("Enter")
    expect(page.locator("sf-transcribe .sf-speaker", has_text=CANARY)).to_have_count(count)
    expect(speaker).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="TXT").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert f"{CANARY}: " in text and "声道 2: " in text
    assert page.evaluate("window.canary") is None
