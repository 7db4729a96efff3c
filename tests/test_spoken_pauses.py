"""Pauses that a text asks for, through the whole program: measured in the sound that comes out, in every way out."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import pytest
import soundfile

from benchmarks.fake_engine import CHARACTER_SECONDS, FakeSynthesizer
from tests.api_kit import code, finish, serving, submit
from tests.devices_kit import Server
from webui.audio.aigc_label.audible import AUDIBLE_SECONDS
from webui.audio.aigc_label.label import GAP_SECONDS
from webui.engines.base import AnyModel, EngineError, SynthesizerCapabilities, SynthesizerModel, Waveform
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
RATE = 24_000
LABEL = AUDIBLE_SECONDS + GAP_SECONDS
TEXT = '[停顿 0.7s]你好[停顿2s]世界[1]。\n[pause 300ms]Hello there.<break time="500ms"/>再见[停顿1s]'
WANTED = [0.7, 2.0, 0.3, 0.5, 1.0]
SAID = ["你好", "世界[1]。", "Hello there.", "再见"]
PADDED = SynthesizerCapabilities(languages=("zh", "en"), sample_rate=RATE, streaming=True)
WHOLE = SynthesizerCapabilities(languages=("zh", "en"), sample_rate=RATE)


class Padded(FakeSynthesizer):
    """Grows piece by piece and leaves silence around what it says, as engines do."""

    def speak(self, *arguments: Any) -> Iterator[Waveform]:
        yield Waveform(np.zeros(round(0.25 * RATE), np.float32), RATE)
        yield from super().speak(*arguments)
        yield Waveform(np.zeros(round(0.35 * RATE), np.float32), RATE)


class Stumbling(FakeSynthesizer):
    """Fails at the first word that it has not failed at before."""

    failed: ClassVar[set[str]] = set()

    def speak(self, text: str, *arguments: Any) -> Iterator[Waveform]:
        if "世界" in text and text not in self.failed:
            self.failed.add(text)
            raise EngineError("ENGINE_FAILED", "stumbled")
        return super().speak(text, *arguments)


def models(_settings: Settings) -> list[AnyModel]:
    stumbling = SynthesizerModel("stumbling", "stumbling", "1", WHOLE, Stumbling)
    return [SynthesizerModel("padded", "padded", "1", PADDED, Padded), stumbling]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    engines = ("benchmarks.fake_engine", "tests.test_spoken_pauses")
    with serving(tmp_path_factory.mktemp("server"), engines=engines) as server, server.browser() as client:
        yield client


def silences(samples: np.ndarray, least: float = 0.1) -> list[float]:
    """The seconds of silence at the beginning, between sounds and at the end."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() / 100)
    runs = np.diff(np.concatenate([[-1], loud, [len(samples)]])) - 1
    return [run / RATE for run in runs if run > least * RATE]


def content(data: bytes, lead: float, seconds: float) -> np.ndarray:
    """A file's samples from `lead` on."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == RATE
    return samples[round(lead * RATE) : round((lead + seconds) * RATE)]


def length() -> float:
    """Seconds of the speech of TEXT."""
    return sum(WANTED) + CHARACTER_SECONDS * sum(map(len, SAID))


def segments_of(client: httpx.Client, uid: str) -> list[dict[str, Any]]:
    return client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"]


def spoken(client: httpx.Client, text: str, **params: Any) -> dict[str, Any]:
    response = submit(client, kind="speak", params=json.dumps({"text": text, "model": "fake", **params}))
    assert response.status_code == 202, response.text
    return finish(client, response.json()["jobs"][0]["id"])


@pytest.mark.parametrize("asked", [{}, {"model": "padded"}, {"speed": 1.5, "model": "padded"}])
def test_a_stored_file_has_the_silence_that_was_asked_for(client: httpx.Client, asked: dict[str, Any]) -> None:
    job = spoken(client, TEXT, **asked)
    assert (job["state"], job["warnings"]) == ("done", [])
    data = client.get(f"/api/v1/jobs/{job['id']}/audio").content
    assert silences(content(data, 0, length())) == pytest.approx(WANTED, abs=0.02)


def test_segments_hold_what_is_said_and_their_times_the_silence(client: httpx.Client) -> None:
    uid = spoken(client, TEXT)["id"]
    segments = segments_of(client, uid)
    assert [segment["text"] for segment in segments] == [segment["text_raw"] for segment in segments] == SAID
    edges = [0.0] + [time for segment in segments for time in (segment["start"], segment["end"])]
    starts = [after - before for before, after in zip(edges[::2], edges[1::2], strict=False)]
    assert starts == pytest.approx(WANTED[:4], abs=0.02)
    subtitles = client.get(f"/api/v1/jobs/{uid}/result.srt").text
    assert "停顿" not in subtitles and "pause" not in subtitles and "break" not in subtitles
    assert "00:00:00,70" in subtitles


@pytest.mark.parametrize("model", ["fake", "stumbling"])
def test_whoever_asks_only_for_what_changed_has_the_times_of_the_end(client: httpx.Client, model: str) -> None:
    params = {"text": TEXT.replace("世界", "世界上"), "model": model, "instruct": "0.3"}
    uid = submit(client, kind="speak", params=json.dumps(params)).json()["jobs"][0]["id"]
    known: dict[int, dict[str, Any]] = {}
    deadline, ended = time.monotonic() + 60, False
    while not ended:
        assert time.monotonic() < deadline
        ended = client.get(f"/api/v1/jobs/{uid}").json()["state"] in ("done", "partial")
        newest = max((row["change"] for row in known.values()), default=0)
        changed = client.get(f"/api/v1/jobs/{uid}/segments", params={"after": newest}).json()["segments"]
        known |= {row["n"]: row for row in changed}
    assert [known[n] for n in sorted(known)] == segments_of(client, uid)
    assert known[3]["start"] > 1


@pytest.mark.parametrize("model", ["fake", "padded"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_openai_route_has_it_also_while_it_streams(client: httpx.Client, model: str, stream: bool) -> None:
    asked = {"model": model, "voice": "builtin", "input": TEXT, "response_format": "pcm", "stream": stream}
    response = client.post("/v1/audio/speech", json=asked)
    assert response.status_code == 200
    heard = np.frombuffer(response.content, "<i2").astype(np.float32)
    heard = heard[round(LABEL * RATE) :] if stream else heard[: round(length() * RATE)]
    assert silences(heard) == pytest.approx(WANTED, abs=0.02)


def test_mp3_has_it_too(client: httpx.Client) -> None:
    uid = spoken(client, TEXT, format="mp3")["id"]
    data = client.get(f"/api/v1/jobs/{uid}/audio").content
    assert silences(content(data, 0, length())) == pytest.approx(WANTED, abs=0.06)  # with the encoder's own delay


def test_a_text_of_pauses_only_and_unreadable_ones_are_refused(client: httpx.Client) -> None:
    for text, wanted in (("[停顿 1s]<break/>", "NOTHING_TO_SAY"), ("好[停顿 20]的", "PAUSE_MARK")):
        assert code(submit(client, kind="speak", params=json.dumps({"text": text, "model": "fake"}))) == (422, wanted)
        assert code(client.post("/v1/audio/speech", json={"model": "fake", "input": text})) == (422, wanted)


def test_other_ssml_is_left_out_with_a_warning(client: httpx.Client) -> None:
    job = spoken(client, '<speak>你好<prosody rate="slow">世界。</prosody></speak>')
    assert [warning["code"] for warning in job["warnings"]] == ["SSML_LEFT_OUT"]
    assert "<speak>, <prosody>" in job["warnings"][0]["message"]
    (segment,) = segments_of(client, job["id"])
    assert segment["text"] == "你好世界。"


def test_a_pause_that_is_too_long_is_cut_with_a_warning(client: httpx.Client) -> None:
    job = spoken(client, "你好[停顿 15s]世界。")
    assert [warning["code"] for warning in job["warnings"]] == ["PAUSES_SHORTENED"]
    assert "[停顿 15s]" in job["warnings"][0]["message"]
    data = client.get(f"/api/v1/jobs/{job['id']}/audio").content
    assert silences(content(data, 0, 10.2)) == pytest.approx([10], abs=0.02)


def test_a_word_of_the_lexicon_leaves_the_marks_alone(client: httpx.Client) -> None:
    client.put("/api/v1/lexicon", json={"entries": {"停顿": "等一等", "time": "泰姆"}}).raise_for_status()
    try:
        uid = spoken(client, '停顿[停顿2s]好<break time="1s"/>好')["id"]
    finally:
        client.put("/api/v1/lexicon", json={"entries": {}}).raise_for_status()
    data = client.get(f"/api/v1/jobs/{uid}/audio").content
    assert silences(content(data, 0, 3 + 5 * CHARACTER_SECONDS)) == pytest.approx([2, 1], abs=0.02)


def test_a_sentence_that_is_tried_again_finds_its_pauses(client: httpx.Client) -> None:
    job = spoken(client, TEXT, model="stumbling")
    assert job["state"] == "partial"
    client.post(f"/api/v1/jobs/{job['id']}/retry").raise_for_status()
    assert finish(client, job["id"])["state"] == "done"
    data = client.get(f"/api/v1/jobs/{job['id']}/audio").content
    assert silences(content(data, 0, length())) == pytest.approx(WANTED, abs=0.02)


def test_a_job_goes_on_after_a_kill_with_the_same_pauses(tmp_path: Path) -> None:
    given = {"SHENGFANG_ENGINES": "benchmarks.fake_engine"}
    params = {"text": TEXT, "model": "fake", "instruct": "0.7"}
    with Server(tmp_path, "--device", "cpu", **given) as first:
        uid = submit(first.client, kind="speak", params=json.dumps(params)).json()["jobs"][0]["id"]
        deadline = time.monotonic() + 60
        while not any(one["state"] == "done" for one in segments_of(first.client, uid)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first.kill()
        assert not list(first.data.rglob("speech.wav")), "it had not ended"
    with Server(tmp_path, "--device", "cpu", **given) as second:
        assert second.finish(uid)["state"] == "done"
        data = second.client.get(f"/api/v1/jobs/{uid}/audio").content
        assert [one["text"] for one in segments_of(second.client, uid)] == SAID
    assert silences(content(data, 0, length())) == pytest.approx(WANTED, abs=0.02)


def longest(samples: np.ndarray) -> float:
    """The longest silence between sounds, by frames of 10 ms."""
    step = RATE // 100
    level = np.sqrt((samples[: len(samples) // step * step].reshape(-1, step) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > level.max() / 100)
    return float(np.diff(loud).max(initial=1) - 1) / 100


def test_the_builtin_voice_pauses_as_long(tmp_path: Path) -> None:
    """Through the command line."""
    place = ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models"), "--device", "cpu"]
    (tmp_path / "models").mkdir()
    command = [sys.executable, str(ROOT / "app.py"), "speak", "你好，世界[停顿2s]今天天气很好。", "--voice", "builtin"]
    subprocess.run([*command, "--out", str(tmp_path / "a.wav"), *place], check=True, capture_output=True, timeout=120)
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == RATE
    assert longest(samples) == pytest.approx(2, abs=0.03)
