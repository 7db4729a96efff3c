"""Speech over HTTP while it is made, against the file that is stored of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from benchmarks.fake_engine import FakeSynthesizer
from tests.api_kit import finish, serving
from webui.audio.aigc_label.audible import AUDIBLE_SECONDS
from webui.audio.aigc_label.label import GAP_SECONDS
from webui.audio.joining import PARAGRAPH_PAUSE, TARGET_LEVEL
from webui.audio.loudness import speech_level
from webui.engines.base import AnyModel, SynthesizerCapabilities, SynthesizerModel, Waveform
from webui.settings import Settings

RATE = 24_000
LABEL = round(AUDIBLE_SECONDS * RATE) + round(GAP_SECONDS * RATE)
TEXT = "第一段有两句话。这是第二句话。\n第二段从这里开始，\n" + "没有标点的长句" * 30
GROWS = SynthesizerCapabilities(languages=("zh",), sample_rate=RATE, streaming=True)


class Growing(FakeSynthesizer):
    """Speaks a piece a character, so softly that nobody would hear it."""

    def speak(self, *arguments: Any) -> Iterator[Waveform]:
        for piece in super().speak(*arguments):
            yield Waveform(piece.samples * np.float32(0.2), piece.rate)


def models(_settings: Settings) -> list[AnyModel]:
    return [SynthesizerModel("growing", "growing", "1", GROWS, Growing)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    engines = ("benchmarks.fake_engine", "tests.test_streaming")
    with serving(tmp_path_factory.mktemp("server"), engines=engines) as server, server.browser() as client:
        yield client


def streamed(client: httpx.Client, text: str, model: str = "fake") -> tuple[np.ndarray, np.ndarray, str]:
    """What was heard after the label, what is stored, and the job."""
    asked = {"model": model, "input": text, "response_format": "pcm", "stream": True}
    response = client.post("/v1/audio/speech", json=asked)
    uid = response.headers["x-job-id"]
    finish(client, uid)
    stored, rate = soundfile.read(io.BytesIO(client.get(f"/api/v1/jobs/{uid}/audio").content), dtype="int16")
    assert rate == RATE
    return np.frombuffer(response.content, "<i2")[LABEL:], stored, uid


def test_a_stream_of_whole_sentences_is_what_is_stored(client: httpx.Client) -> None:
    """The same levels, pauses and transitions, sample by sample; the stored file has its label at the end."""
    heard, stored, _ = streamed(client, TEXT)
    assert len(heard) > 5 * RATE
    assert np.array_equal(heard, stored[: len(heard)])
    assert not stored[len(heard) : len(heard) + round(GAP_SECONDS * RATE)].any()


def test_a_sentence_that_grows_is_as_loud_as_the_stored_one(client: httpx.Client) -> None:
    heard, stored, _ = streamed(client, TEXT, "growing")
    for samples in (heard, stored[: len(heard)]):
        assert speech_level(samples / np.float32(32768), RATE) == pytest.approx(TARGET_LEVEL, rel=0.05)


def test_a_paragraph_is_followed_by_a_longer_pause(client: httpx.Client) -> None:
    _, _, uid = streamed(client, TEXT)
    segments = client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"]
    gaps = [round(after["start"] - before["end"], 2) for before, after in pairwise(segments)]
    assert gaps[:3] == [0.45, PARAGRAPH_PAUSE, PARAGRAPH_PAUSE]
    assert set(gaps[3:]) == {-0.03}
    assert all(segment["text"] == segment["text"].strip() for segment in segments)
