"""CosyVoice3 from a folder in models/ to labelled speech, through the real server; the weights are small and random."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tests.api_kit import Server, code, finish, prompt, serving, submit, wav_of
from tests.cosyvoice.conftest import build
from webui.audio.aigc_label.audible import AUDIBLE_SECONDS
from webui.audio.aigc_label.label import GAP_SECONDS, AigcLabel, check
from webui.audio.resampling import resample
from webui.engines.cosyvoice.prompts import INSTRUCTIONS
from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer

MODEL = "Fun-CosyVoice3-0.5B"
CONSENT = json.dumps({"basis": "written", "subject": "张三"})
TRANSCRIPT = "今天天气很好，我们一起去公园散步，好不好？"
TEXT = "今天天气很好，我们去公园。明天再见，祝你愉快。"
LABEL = round((AUDIBLE_SECONDS + GAP_SECONDS) * 24000)  # samples before the first sound


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    whole = build(folder / "models" / MODEL)
    shutil.copytree(whole, folder / "models" / "cut-off", copy_function=os.link)
    flow = folder / "models" / "cut-off" / "flow.pt"
    flow.unlink()
    flow.write_bytes((whole / "flow.pt").read_bytes()[:100_000])
    (folder / "models" / "CosyVoice2-0.5B").mkdir()
    for name in ("cosyvoice2.yaml", "hift.pt", "flow.pt", "campplus.onnx"):
        (folder / "models" / "CosyVoice2-0.5B" / name).touch()
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.browser() as client:
        yield client


@pytest.fixture(scope="module")
def voice(client: httpx.Client) -> str:
    return enrol(client, "小张")


def enrol(client: httpx.Client, name: str, transcript: str = TRANSCRIPT, audio: bytes | None = None) -> str:
    data = {"name": name, "transcript": transcript, "consent": CONSENT}
    response = client.post("/api/v1/voices", data=data, files={"file": ("p.wav", audio or prompt())})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def ask(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"text": "好的，再见。", "model": MODEL, "steps": 2, **params}
    return submit(client, kind="speak", params=json.dumps(given))


def speak(client: httpx.Client, **params: Any) -> dict[str, Any]:
    response = ask(client, **params)
    assert response.status_code == 202, response.text
    return finish(client, response.json()["jobs"][0]["id"])


def sound(client: httpx.Client, job: dict[str, Any]) -> tuple[np.ndarray, int]:
    response = client.get(f"/api/v1/jobs/{job['id']}/audio")
    assert response.status_code == 200, response.text
    return soundfile.read(io.BytesIO(response.content), dtype="float32")


def stored_file(server: Server, uid: str) -> Path:
    return next((server.services.settings.outputs / uid).glob("speech.*"))


def warned(job: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in job["warnings"]]


def test_the_models_tell_what_they_can_do_and_why_others_cannot_be_used(client: httpx.Client) -> None:
    listed = client.get("/api/v1/models", headers={"accept-language": "en"}).json()["models"]
    models = {model["name"]: model for model in listed}
    able = models[MODEL]["capabilities"]
    assert models[MODEL]["problem"] is None
    assert (able["streaming"], able["instruct"], able["convert"]) == (True, True, True)
    assert able["instructions"] == [list(item) for item in INSTRUCTIONS.items()]
    assert "CosyVoice2" in models["CosyVoice2-0.5B"]["problem"]["message"]
    assert "flow.pt is damaged or cut off" in models["cut-off"]["problem"]["message"]


def test_a_job_speaks_is_labelled_and_tells_how_it_was_made(server: Server, client: httpx.Client, voice: str) -> None:
    job = speak(client, text=TEXT, voice=voice, seed=7)
    assert (job["state"], warned(job)) == ("done", [])
    check(stored_file(server, job["id"]), AigcLabel("", job["id"]), "end")
    row = next(row for row in client.get("/api/v1/history.json").json() if row["id"] == job["id"])
    assert (row["model"], row["voice"], row["params"]["seed"], row["params"]["steps"]) == (MODEL, "小张", 7, 2)
    assert len(row["model_revision"]) == 12
    assert row["devices"] == dict.fromkeys(("speak", "features", "llm", "flow", "vocoder"), "cpu")
    assert row["work_s"] > 0


def test_a_seed_gives_the_same_samples_offline_and_streamed(client: httpx.Client, voice: str) -> None:
    for stream in (False, True):
        first, again, other = (speak(client, voice=voice, seed=seed, stream=stream) for seed in (3, 3, 4))
        np.testing.assert_array_equal(sound(client, first)[0], sound(client, again)[0])
        assert not np.array_equal(sound(client, first)[0], sound(client, other)[0])


def test_the_first_sound_leaves_before_the_first_sentence_is_finished(
    server: Server, client: httpx.Client, voice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = threading.Event()
    whole = CosyVoiceSynthesizer.speak

    def waiting(self: Any, *arguments: Any) -> Iterator[Any]:
        for number, piece in enumerate(whole(self, *arguments)):
            assert number == 0 or heard.wait(60), "nothing left before the sentence was finished"
            yield piece

    monkeypatch.setattr(CosyVoiceSynthesizer, "speak", waiting)
    body = {"model": MODEL, "input": TEXT, "voice": voice, "stream": True, "response_format": "pcm", "steps": 2}
    data = b""
    with client.stream("POST", "/v1/audio/speech", json=body) as response:
        assert response.status_code == 200
        uid = response.headers["x-job-id"]
        for piece in response.iter_raw():
            data += piece
            if len(data) > 2 * LABEL and not heard.is_set():
                assert client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"][0]["state"] == "pending"
                heard.set()
    job = finish(client, uid)
    assert (job["state"], job["params"]["stream"]) == ("done", True)
    check(stored_file(server, uid), AigcLabel("", uid), "end")
    segments = client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"]
    assert len(data) / 2 / 24000 > sum(segment["end"] - segment["start"] for segment in segments)
    assert not list((server.services.settings.outputs / uid).glob("segments/*"))


def test_what_is_streamed_is_what_is_stored(client: httpx.Client, voice: str) -> None:
    """But for the level and the silence around a sentence, which joining sees to."""
    body = {
        "model": MODEL,
        "input": "好的，再见。",
        "voice": voice,
        "stream": True,
        "response_format": "pcm",
        "steps": 2,
    }
    response = client.post("/v1/audio/speech", json=body)
    streamed = np.frombuffer(response.content, "<i2")[LABEL:] / 32768
    stored, _ = sound(client, finish(client, response.headers["x-job-id"]))
    part = stored[2400:4800]
    norms = np.sqrt(np.convolve(streamed**2, np.ones(len(part)), "valid")) * np.linalg.norm(part)
    alike = np.correlate(streamed, part, "valid") / (norms + 1e-9)
    assert alike.max() > 0.999


def test_another_speed_is_kept_in_a_stream(client: httpx.Client, voice: str) -> None:
    slow, fast = (speak(client, voice=voice, seed=3, stream=True, speed=speed) for speed in (0.5, 2.0))
    assert slow["duration_s"] > fast["duration_s"]


def test_features_are_computed_once_and_go_with_the_consent(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = enrol(client, "一次")
    enrolled = []
    whole = CosyVoiceSynthesizer.enrol

    def counting(self: Any, *arguments: Any) -> Any:
        enrolled.append(1)
        return whole(self, *arguments)

    monkeypatch.setattr(CosyVoiceSynthesizer, "enrol", counting)
    speak(client, voice=uid)
    speak(client, voice=uid)
    assert len(enrolled) == 1
    client.post(f"/api/v1/voices/{uid}/revoke")
    assert code(ask(client, voice=uid)) == (422, "CONSENT_EXPIRED")


def test_instructions_are_followed_and_capped(client: httpx.Client, voice: str) -> None:
    plain, told = (speak(client, voice=voice, seed=5, instruct=wish) for wish in ("", "用四川话说"))
    assert not np.array_equal(sound(client, plain)[0], sound(client, told)[0])
    body = {"model": MODEL, "input": "好。", "voice": voice, "instructions": "慢" * 61}
    assert code(client.post("/v1/audio/speech", json=body)) == (422, "INSTRUCT_TOO_LONG")


@pytest.mark.parametrize(
    ("refusal", "params"),
    [
        ("UNKNOWN_PRONUNCIATION", {"text": "你[haq4]"}),
        ("UNKNOWN_PRONUNCIATION", {"text": "嗯[hm4]"}),  # pypinyin has it, the model does not
        ("NOTHING_TO_SAY", {"text": "。。。！"}),
        ("LANGUAGE_UNSUPPORTED", {"language": "nl"}),
        ("NOT_CAPABLE", {"voice": "builtin"}),
        ("MODEL_BROKEN", {"model": "cut-off"}),
        ("MODEL_BROKEN", {"model": "CosyVoice2-0.5B"}),
    ],
)
def test_wrong_requests_are_refused_at_submission(
    client: httpx.Client, voice: str, refusal: str, params: dict[str, str]
) -> None:
    assert code(ask(client, **({"voice": voice} | params))) == (422, refusal)


def test_a_prompt_of_few_samples_is_told_at_once_and_refused_for_the_model(client: httpx.Client) -> None:
    samples, rate = soundfile.read(io.BytesIO(prompt()), dtype="float32")
    uid = enrol(client, "电话", audio=wav_of(resample(samples, rate, 8000), 8000))
    findings = client.get(f"/api/v1/voices/{uid}", headers={"accept-language": "en"}).json()["findings"]
    assert [finding["code"] for finding in findings] == ["PROMPT_RATE"]
    assert "8000 Hz" in findings[0]["message"]
    assert code(ask(client, voice=uid)) == (422, "PROMPT_RATE")
    assert speak(client, voice=uid, model="basic")["state"] == "done"


def test_the_builtin_voice_is_spoken_by_a_model_that_has_one(server: Server, client: httpx.Client) -> None:
    server.services.models.set_options({"default_synthesizer": MODEL})
    try:
        response = client.post("/v1/audio/speech", json={"model": "tts-1", "input": "好。", "voice": "alloy"})
        assert finish(client, response.headers["x-job-id"])["model"] == "basic"
    finally:
        server.services.models.set_options({"default_synthesizer": "fake"})


def test_a_missing_transcript_is_recognised_and_kept_to_be_corrected(client: httpx.Client) -> None:
    uid = enrol(client, "无字", transcript="")
    job = speak(client, voice=uid)
    assert (job["state"], warned(job)) == ("done", ["TRANSCRIPT_RECOGNISED"])
    assert client.get(f"/api/v1/voices/{uid}").json()["transcript"].startswith("听到")
    assert warned(speak(client, voice=uid)) == []


def test_without_a_recognizer_for_the_language_the_voice_speaks_across_languages(client: httpx.Client) -> None:
    job = speak(client, voice=enrol(client, "外语", transcript=""), text="Guten Tag.", language="de")
    assert (job["state"], warned(job)) == ("done", ["TRANSCRIPT_MISSING"])


def test_a_draft_of_the_transcript_leaves_no_job(client: httpx.Client) -> None:
    before = len(client.get("/api/v1/jobs").json()["jobs"])
    response = client.post("/api/v1/voices/transcript", files={"file": ("p.wav", prompt())})
    assert response.json()["transcript"].startswith("听到")
    assert response.json()["model"] == "fake"
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == before


@pytest.mark.parametrize("model", [MODEL, "basic"])
def test_a_recording_is_converted(server: Server, client: httpx.Client, voice: str, model: str) -> None:
    params = json.dumps({"model": model, "voice": voice, "steps": 2})
    response = submit(client, ("r.wav", prompt()), kind="convert", params=params)
    job = finish(client, response.json()["jobs"][0]["id"])
    assert (job["state"], job["devices"]["convert"], job["params"]["steps"]) == ("done", "cpu", 2)
    check(stored_file(server, job["id"]), AigcLabel("", job["id"]), "end")
    assert len(sound(client, job)[0]) / 24000 > 5


def test_what_does_not_fit_into_memory_is_made_in_two_parts(
    client: httpx.Client, voice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CosyVoiceSynthesizer.speak

    def small(self: Any, text: str, *arguments: Any) -> Iterator[Any]:
        if len(text) > 8:
            raise MemoryError
        return whole(self, text, *arguments)

    monkeypatch.setattr(CosyVoiceSynthesizer, "speak", small)
    job = speak(client, voice=voice, text="今天天气很好，我们去公园。")
    assert (job["state"], warned(job)) == ("done", ["MEMORY_PIECES"])
