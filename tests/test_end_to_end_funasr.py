"""Fun-ASR through the whole application: recording → speech → text → hotwords → ITN → subtitles → history."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.api_kit import Server, finish, prompt, serving, submit, wav, wav_of
from tests.funasr import builder
from webui.text import hotwords, itn
from webui.text.hotwords.sounds import sounds

STOCK = """
import contextlib, io, json, sys
sys.modules['torchaudio'] = None
with contextlib.redirect_stdout(io.StringIO()):
    from funasr import AutoModel
    sys.path.insert(0, sys.argv[1] + '/tiny'); import tiny_ctc_zh
    from funasr.register import tables; tables.model_classes["CTC"] = tables.model_classes["TinyCtcZh"]
    model = AutoModel(model=sys.argv[1] + '/tiny', vad_model=sys.argv[1] + '/fsmn-vad', device='cpu', ncpu=1,
                      disable_update=True, disable_pbar=True, log_level='ERROR', frontend_conf={'dither': 0.0},
                      vad_kwargs={'max_single_segment_time': 20000, 'disable_update': True})
    found = model.generate(input=sys.argv[2], max_end_silence_time=800)[0]
print(json.dumps([found['text'], found['timestamp']]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Models of random weights: SenseVoice and SeACo-Paraformer for the text, ct-punc, CAM++ for the voices."""
    folder = tmp_path_factory.mktemp("funasr")
    for name, build, options in (
        ("sensevoice", builder.sense_voice, {}),
        ("paraformer", builder.paraformer, {}),
        ("ct-punc", builder.punctuation, {}),
        ("campplus", builder.campplus, {"full": True}),
    ):
        (folder / "models" / name).mkdir(parents=True)
        build(folder / "models" / name, **options)
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Real weights: a tiny Mandarin recognizer in the place of FunASR's CTC, planned by FSMN-VAD."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copytree(shared / "eval" / "models" / "tiny-ctc-zh", folder / "models" / "tiny")
    shutil.copytree(shared / "eval" / "models" / "fsmn-vad", folder / "models" / "fsmn-vad")
    config = folder / "models" / "tiny" / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("model: TinyCtcZh", "model: CTC"), "utf-8")
    from webui.engines.funasr.import_guard import load_tables

    tables = load_tables({"CTC"})
    spec = importlib.util.spec_from_file_location("tiny_ctc_zh", folder / "models" / "tiny" / "tiny_ctc_zh.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tiny_ctc_zh", module)
        spec.loader.exec_module(module)
        patch.setitem(tables.model_classes, "CTC", tables.model_classes["TinyCtcZh"])
        with serving(folder, vad="fsmn") as server:
            yield server


@pytest.fixture(scope="module")
def recording(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Mandarin recordings with pauses between them, 16 kHz."""
    names = ("wenet-e2e+wenet__aishell-BAC009S0724W0121", "modelscope+FunASR__mid", "modelscope+FunASR__long")
    parts = [np.zeros(16000, np.int16)]
    for name in names:
        samples, rate = soundfile.read(shared / "eval" / "speech" / "zh" / f"{name}.wav", dtype="int16")
        assert rate == 16000
        parts += [samples, np.zeros(20000, np.int16)]
    path = tmp_path_factory.mktemp("recording") / "录音.wav"
    soundfile.write(path, np.concatenate(parts), 16000, "PCM_16")
    return path


def transcribed(client: Any, name: str, content: bytes, **params: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job when it has ended, and its segments."""
    given = json.dumps(params)
    job = finish(client, submit(client, (name, content), params=given).json()["jobs"][0]["id"])
    return job, client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]


def test_text_and_times_through_the_application_are_those_of_stock_funasr(real: Server, recording: Path) -> None:
    models = real.services.settings.models
    command = [sys.executable, "-W", "ignore", "-c", STOCK, str(models), str(recording)]
    stock = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    text, times = json.loads(stock.stdout.splitlines()[-1])
    with real.browser() as client:
        job, segments = transcribed(
            client, recording.name, recording.read_bytes(), model="tiny", language="zh", itn=False
        )
        assert job["state"] == "done" and len(segments) >= 3 and job["text"] == text.replace(" ", "")
        words = [[round(word["start"] * 1000), round(word["end"] * 1000)] for s in segments for word in s["words"]]
        assert words == times
        srt = client.get(f"/api/v1/jobs/{job['id']}/result.srt").text
        assert (
            "".join(line for line in srt.splitlines() if line and "-->" not in line and not line.isdigit())
            == job["text"]
        )
        found = client.get("/api/v1/jobs", params={"q": text[4:8]}).json()["jobs"]
        assert [hit["id"] for hit in found] == [job["id"]]


def test_a_hotword_that_was_nearly_heard_is_written_marked_and_searchable(real: Server, recording: Path) -> None:
    content = recording.read_bytes()
    with real.browser() as client:
        plain, segments = transcribed(client, "a.wav", content, model="tiny", language="zh", itn=False)
        heard = segments[0]["text"][2:5]
        word = heard[0] + homophone(heard[1]) + heard[2]
        job, segments = transcribed(client, "b.wav", content, model="tiny", language="zh", hotwords=[word])
        assert segments[0]["text_raw"][2:5] == heard and job["text_raw"] == plain["text_raw"]
        corrected = hotwords.correct(segments[0]["text_raw"], [word])[0]
        assert word in corrected and segments[0]["text"] == itn.apply(corrected)
        assert segments[0]["hits"][0]["word"] == word
        assert "".join(timed["text"] for timed in segments[0]["words"]) == segments[0]["text"]
        assert [found["id"] for found in client.get("/api/v1/jobs", params={"q": word}).json()["jobs"]] == [job["id"]]


def homophone(character: str) -> str:
    """Another character that sounds the same."""
    common = map(chr, range(0x4E00, 0x9FA6))
    return next(other for other in common if other != character and sounds(other) == sounds(character))


def test_two_users_at_once_get_their_own(server: Server) -> None:
    wishes = [("zh", "甲"), ("en", "乙")]
    content = wav(8)

    def ask(language: str, word: str, results: dict[str, Any]) -> None:
        with server.browser() as client:
            asked = {"model": "sensevoice", "language": language, "hotwords": [word]}
            results[language] = transcribed(client, f"{word}.wav", content, **asked)

    alone: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for wish in wishes:
        ask(*wish, alone)
    threads = [threading.Thread(target=ask, args=(*wish, together)) for wish in wishes * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for language, word in wishes:
        job, _ = together[language]
        assert job["params"]["hotwords"] == [word] and job["text"] == alone[language][0]["text"] != ""
    assert alone["zh"][0]["text"] != alone["en"][0]["text"]


def spoken(pitch: float = 1.0) -> np.ndarray:
    """A sentence of the built-in voice and a second of silence, 24 kHz."""
    samples, _ = soundfile.read(io.BytesIO(prompt()), dtype="float32")
    places = np.arange(0, len(samples) - 1, pitch)
    return np.concatenate([np.interp(places, np.arange(len(samples)), samples), np.zeros(24000)]).astype(np.float32)


def until(client: Any, segments: str, wanted: int, server: Server) -> int:
    """Unload the model again and again until so many segments are done."""
    deadline = time.monotonic() + 60
    while (found := done(client, segments)) < wanted:
        assert time.monotonic() < deadline
        server.services.host.free()
        time.sleep(0.05)
    return found


def test_cancelling_stops_within_one_batch_and_unloading_in_mid_queue_is_harmless(server: Server) -> None:
    with server.browser() as client:
        content = wav_of(np.tile(spoken(), 12), 24000)
        uid = submit(client, ("long.wav", content), params='{"model": "sensevoice"}').json()["jobs"][0]["id"]
        segments = f"/api/v1/jobs/{uid}/segments"
        before = until(client, segments, 1, server)
        client.post(f"/api/v1/jobs/{uid}/cancel")
        at_most = done(client, segments) + 1  # the batch in hand: on a CPU one segment
        assert finish(client, uid)["state"] == "cancelled" and before <= done(client, segments) <= at_most
        assert client.post(f"/api/v1/jobs/{uid}/retry").status_code == 200
        until(client, segments, before + 2, server)
        assert finish(client, uid)["state"] == "done" and done(client, segments) >= 12


def done(client: Any, segments: str) -> int:
    return sum(segment["state"] == "done" for segment in client.get(segments).json()["segments"])


def test_paraformer_gets_punctuation_speakers_and_subtitles(server: Server) -> None:
    with server.browser() as client:
        mixed = wav_of(np.concatenate([spoken(), spoken(1.5)]), 24000)
        asked = {"model": "paraformer", "diarize": True, "itn": False, "hotwords": ["丁七万"]}
        job, segments = transcribed(client, "a.wav", mixed, **asked)
        assert job["state"] == "done" and job["warnings"] == [] and segments[0]["speaker"] == "1"
        for segment in segments:
            assert set(segment["text"]) & set("，。？、") and not set(segment["text_raw"]) & set("，。？、")
            assert segment["text"].translate({ord(mark): None for mark in "，。？、"}) == segment["text_raw"]
            assert segment["words"][0]["start"] >= segment["start"]
        srt = client.get(f"/api/v1/jobs/{job['id']}/result.srt").text
        assert all(len(line) <= 24 for line in srt.splitlines() if "-->" not in line) and "-->" in srt


def test_a_recording_of_one_segment_has_one_speaker(server: Server) -> None:
    with server.browser() as client:
        job, segments = transcribed(client, "a.wav", wav_of(spoken()[:36_000], 24000), model="sensevoice", diarize=True)
        assert job["state"] == "done" and [segment["speaker"] for segment in segments] == ["1"]


def test_segments_are_not_stretched_over_silence(server: Server) -> None:
    """FunASR's merged segments begin at 0 and hold the pauses."""
    silence = np.zeros(72_000, np.float32)
    with server.browser() as client:
        content = wav_of(np.concatenate([silence, spoken(), silence, spoken()]), 24000)
        _, segments = transcribed(client, "a.wav", content, model="sensevoice")
        second = (len(silence) * 2 + len(spoken())) / 24000
        assert segments[0]["start"] > 2.5
        assert not any(segment["start"] < second - 2 and segment["end"] > second - 1 for segment in segments)


def test_speakers_are_told_apart_by_voice_or_by_channel(server: Server) -> None:
    with server.browser() as client:
        capable = {model["name"]: model["capabilities"] for model in client.get("/api/v1/models").json()["models"]}
        assert capable["sensevoice"]["speakers"]
        mixed = wav_of(np.concatenate([spoken(), spoken(1.5), spoken()]), 24000)
        job, segments = transcribed(client, "a.wav", mixed, model="sensevoice", diarize=True)
        assert job["state"] == "done" and job["warnings"] == [] and len(segments) >= 3
        assert {segment["speaker"] for segment in segments} <= {"1", "2", "3"} and segments[0]["speaker"] == "1"
        both = wav_of(np.stack([np.tile(spoken(), 2), np.roll(np.tile(spoken(), 2), 30000)], 1), 24000)
        job, segments = transcribed(client, "b.wav", both, model="sensevoice", channels="split", diarize=True)
        assert {(s["channel"], s["speaker"]) for s in segments} == {(0, "1"), (1, "2")} and job["warnings"] == []
        assert "声道 1: " in client.get(f"/api/v1/jobs/{job['id']}/result.txt").text
        job, segments = transcribed(client, "c.wav", wav(1), model="basic", diarize=True)
        assert [warning["code"] for warning in job["warnings"]] == ["BASIC_ENGLISH"], "whoever made the model"
