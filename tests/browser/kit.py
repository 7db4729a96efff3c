"""What the tests of the pages share: a recording, and the few things that a reader does on every tab."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
from playwright import sync_api
from playwright.sync_api import expect

from webui.pages import application

SAMPLE = application.STATIC / "samples" / "sample_en.wav"
CANARY = "<img src=x onerror=window.canary=1>"
TABS = ("transcribe", "batch", "clone", "voices", "history", "system")
LINE = "sf-transcribe .sf-said"

Opener = Callable[..., sync_api.Page]


def recording(name: str) -> dict[str, object]:
    return {"name": name, "mimeType": "audio/wav", "buffer": SAMPLE.read_bytes()}


def split_recording(name: str) -> dict[str, object]:
    """Two channels, an agent and a customer, the second a second later."""
    samples, rate = soundfile.read(SAMPLE, dtype="float32")
    later = np.concatenate([np.zeros(rate, np.float32), samples])[: len(samples)]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([samples, later], axis=1), rate, format="WAV")
    return {"name": name, "mimeType": "audio/wav", "buffer": buffer.getvalue()}


def jobs(page: sync_api.Page) -> list[dict[str, Any]]:
    """The reader's jobs, newest first."""
    return page.evaluate("fetch('/api/v1/jobs').then((answer) => answer.json())")["jobs"]


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
