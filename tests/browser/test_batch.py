"""Batch: many recordings at once."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.kit import SAMPLE, Opener, jobs, recording

pytestmark = pytest.mark.browser


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
    expect(page.locator("sf-batch").get_by_role("button", name="失败 1", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.locator("sf-batch").get_by_role("link", name="TXT").click()
    with zipfile.ZipFile(download.value.path()) as results:
        assert len([name for name in results.namelist() if name.endswith(".txt")]) == 4
    page.reload()
    expect(page.locator(".sf-batch-row .sf-state-done")).to_have_count(4)


def test_a_folder_gives_its_recordings_and_leaves_the_rest(open_page: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "三月"
    (folder / "pm").mkdir(parents=True)
    for name in ("a.wav", "pm/b.amr", "pm/c.mp3", "目录.txt", ".hidden.wav"):
        (folder / name).write_bytes(SAMPLE.read_bytes())
    page = open_page("batch")
    page.set_input_files("sf-recordings input[webkitdirectory]", folder)
    expect(page.locator(".sf-batch-row .sf-row-name")).to_have_text(["a.wav", "b.amr", "c.mp3"])
    expect(page.locator(".sf-announcement")).to_have_text("跳过了 2 个不是录音的文件")
    page.click("#sf-start-batch")
    expect(page.locator(".sf-batch-row .sf-state-done")).to_have_count(3)


def test_a_batch_is_narrowed_cancelled_and_what_failed_is_tried_again(open_page: Opener) -> None:
    page = open_page("batch")
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_label("热词").fill("seconds=12")
    letter = {"name": "letter.wav", "mimeType": "audio/wav", "buffer": b"Dear Sir or Madam, this is a letter. " * 40}
    page.set_input_files("sf-recordings input[type=file] >> nth=0", [recording("a.wav"), recording("b.wav"), letter])
    page.dblclick("#sf-start-batch")
    rows = page.locator(".sf-batch-row")
    expect(rows.locator(".sf-state-refused")).to_have_count(1)
    page.locator("sf-batch").get_by_role("button", name="失败 1", exact=True).click()
    expect(rows.filter(visible=True)).to_have_count(1)
    expect(rows.filter(visible=True)).to_contain_text("letter.wav")
    page.locator("sf-batch").get_by_role("button", name="重试失败的 1 个").click()
    expect(rows.locator(".sf-state-refused")).to_have_count(1)
    page.locator("sf-batch").get_by_role("button", name="全部 3").click()
    page.get_by_role("button", name="全部取消").click()
    page.get_by_role("button", name="确定取消 2 个？").click()
    expect(rows.locator(".sf-state-cancelled")).to_have_count(2)
    expect(page.locator(".sf-count")).to_have_text("0 / 3 个完成")
    assert len(jobs(page)) == 2
