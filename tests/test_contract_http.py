"""The public contract over HTTP, sentence by sentence, against the program itself in a process of its own."""

from __future__ import annotations

import csv
import http.client
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import av
import httpx
import numpy as np
import openai
import pytest
import soundfile

from benchmarks.fake_engine import heard
from tests.api_kit import code, finish, prompt, submit, wav, wav_of
from tests.devices_kit import Server
from tests.jobs_kit import buzz
from webui.audio.aigc_label.audible import audible_score
from webui.audio.aigc_label.label import read_metadata
from webui.server.guard import COOKIE

JOB_FIELDS = set(
    "id batch kind state progress queue_position eta_s params file_name duration_s model model_revision devices "
    "language text text_raw warnings error voice created_at started_at finished_at".split()
)
CSV_COLUMNS = (
    "id,kind,state,created_at,finished_at,file_name,duration_s,model,device,language,hotwords,itn,text,text_raw,voice,"
    "error_code"
)
ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
TEXT = "您好，这里是客服中心。请问有什么可以帮您？"
CONSENT = {"basis": "self", "subject": "张三"}
Client = httpx.Client


@pytest.fixture
def api(program: Server) -> Client:
    """A caller without a cookie."""
    return program.client


@pytest.fixture
def browser(program: Server) -> Iterator[Client]:
    """An owner of its own, for tests that count jobs."""
    with new_browser(program) as client:
        yield client


@pytest.fixture
def official(program: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{program.client.base_url}/v1", api_key="sk-anything", max_retries=0)


@contextmanager
def new_browser(program: Server) -> Iterator[Client]:
    """A browser that has opened the page and keeps its cookie."""
    with Client(base_url=program.client.base_url, timeout=60) as client:
        assert client.get("/", headers={"accept": "text/html"}).status_code == 200
        yield client


def transcribed(client: Client, *, name: str = "a.wav", sound: bytes | None = None, **params: Any) -> dict[str, Any]:
    """A finished transcription."""
    answer = submit(client, (name, sound or wav(2)), params=json.dumps(params))
    assert answer.status_code == 202, answer.text
    return finish(client, answer.json()["jobs"][0]["id"])


def spoken(client: Client, **params: Any) -> dict[str, Any]:
    """A finished speaking job."""
    answer = submit(client, kind="speak", params=json.dumps({"text": TEXT, **params}))
    assert answer.status_code == 202, answer.text
    return finish(client, answer.json()["jobs"][0]["id"])


def transcription(client: Client, **fields: Any) -> httpx.Response:
    return client.post("/v1/audio/transcriptions", data=fields, files={"file": ("a.wav", wav(2))})


def speech(client: Client, **fields: Any) -> httpx.Response:
    return client.post("/v1/audio/speech", json={"input": TEXT, "voice": "alloy", **fields})


def enrol(client: Client, name: str, **fields: Any) -> httpx.Response:
    data = {"name": name, "transcript": "今天天气很好。", "consent": json.dumps(CONSENT), **fields}
    return client.post("/api/v1/voices", data=data, files={"file": ("p.wav", prompt())})


def decoded(content: bytes, form: str) -> tuple[np.ndarray, int]:
    """The samples of an answer, as a player would read them; `pcm` is 24 kHz, 16 bits, one channel."""
    options: dict[str, Any] = {"format": "s16le", "options": {"sample_rate": "24000"}} if form == "pcm" else {}
    with av.open(io.BytesIO(content), **options) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler("fltp", "mono", rate)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), rate


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


class TestModelsAndVoicesByName:
    @pytest.mark.parametrize("name", [None, "auto", "whisper-1", "gpt-4o-transcribe", "tts-1", "gpt-4o-mini-tts"])
    def test_a_default_name_is_the_administrators_choice(self, api: Client, name: str | None) -> None:
        params = {} if name is None else {"model": name}
        assert transcribed(api, sound=wav(0.5), **params)["model"] == "fake"
        assert spoken(api, text="你好。", **params)["model"] == "fake"

    def test_any_other_name_is_404_and_lists_those_that_exist(self, api: Client) -> None:
        answers = [
            submit(api, ("a.wav", wav(1)), params='{"model": "whisper-99"}'),
            submit(api, kind="speak", params='{"model": "whisper-99", "text": "你好"}'),
            transcription(api, model="whisper-99"),
            speech(api, model="whisper-99"),
        ]
        for answer in answers:
            assert code(answer) == (404, "MODEL_NOT_FOUND")
            message = answer.json()["error"]["message"]
            assert "whisper-99" in message and "basic" in message and "fake" in message

    @pytest.mark.parametrize("preset", ["alloy", "nova", "verse", "builtin"])
    def test_a_preset_of_openais_is_the_builtin_voice(self, api: Client, preset: str) -> None:
        assert spoken(api, text="你好。", voice=preset)["voice"] == "builtin"
        assert speech(api, input="你好。", voice=preset).status_code == 200

    def test_a_saved_voice_is_found_by_name_and_by_uid_among_ones_own_and_the_shared(
        self, program: Server, browser: Client
    ) -> None:
        own = enrol(browser, "小张").json()
        shared = enrol(browser, "台长", shared="true").json()
        for voice in (own, shared):
            for name in (voice["name"], voice["id"]):
                assert spoken(browser, text="你好。", voice=name)["state"] == "done"
                assert speech(browser, input="你好。", voice=name).status_code == 200
        with new_browser(program) as other:
            assert spoken(other, text="你好。", voice="台长")["state"] == "done"
            for name in ("小张", own["id"], "谁"):
                assert code(speech(other, voice=name)) == (404, "VOICE_NOT_FOUND")

    def test_basic_recognises_english_and_without_a_language_means_it(self, api: Client) -> None:
        job = transcribed(api, model="basic")
        assert (job["state"], job["language"], job["params"]["language"]) == ("done", "en", "en")
        assert transcription(api, model="basic", response_format="verbose_json").json()["language"] == "en"

    @pytest.mark.parametrize("language", ["zh", "fr"])
    def test_basic_gives_times_and_no_text_for_another_language(self, api: Client, language: str) -> None:
        job = transcribed(api, model="basic", language=language)
        assert (job["state"], job["error"]["code"], job["text"]) == ("partial", "MODEL_NEEDED", "")
        segments = api.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
        assert segments and all(row["end"] > row["start"] and row["text"] == "" for row in segments)
        answer = transcription(api, model="basic", language=language)
        assert code(answer) == (422, "MODEL_NEEDED")
        assert len(answer.headers["x-job-id"]) == 32


class TestOpenAI:
    def test_a_transcription_has_openais_fields_and_ours(self, api: Client) -> None:
        fields = {
            "model": "fake",
            "language": "zh",
            "hotwords": "声坊\nFun ASR",
            "itn": "false",
            "diarize": "true",
            "channels": "split",
            "response_format": "verbose_json",
            "timestamp_granularities[]": ["word", "segment"],
        }
        answer = transcription(api, **fields)
        assert {"task", "language", "duration", "text", "segments", "words"} <= answer.json().keys()
        params = api.get(f"/api/v1/jobs/{answer.headers['x-job-id']}").json()["params"]
        assert params["hotwords"] == ["声坊", "Fun ASR"]
        assert (params["itn"], params["diarize"], params["channels"]) == (False, True, "split")

    def test_itn_is_on_by_default_and_json_is_the_default_form(self, api: Client) -> None:
        answer = transcription(api)
        job = api.get(f"/api/v1/jobs/{answer.headers['x-job-id']}").json()
        assert answer.json()["text"] == job["text"] != job["text_raw"]
        assert (job["params"]["itn"], job["params"]["diarize"], job["params"]["channels"]) == (True, False, "mix")

    def test_the_words_of_the_prompt_are_hotwords_where_none_are_given(self, api: Client) -> None:
        for fields, expected in [
            ({"prompt": "声坊 客服"}, ["声坊", "客服"]),
            ({"prompt": "声坊", "hotwords": "阿里"}, ["阿里"]),
            ({"prompt": "声坊，客服。", "hotwords": ""}, ["声坊", "客服"]),
            ({"prompt": "My fellow Americans, ask."}, ["My", "fellow", "Americans", "ask"]),
        ]:
            uid = transcription(api, **fields).headers["x-job-id"]
            assert api.get(f"/api/v1/jobs/{uid}").json()["params"]["hotwords"] == expected

    def test_the_official_client_transcribes_in_every_form(self, official: openai.OpenAI) -> None:
        def ask(form: str) -> Any:
            sound = ("a.wav", wav(2))
            return official.audio.transcriptions.create(model="whisper-1", file=sound, response_format=form)  # type: ignore[call-overload]

        text = ask("json").text
        assert text.startswith("听到")
        assert ask("text").strip() == text
        assert text in ask("srt") and " --> " in ask("srt")
        assert ask("vtt").startswith("WEBVTT")
        assert ask("verbose_json").segments[0].text == text

    def test_the_official_client_speaks_and_lists_and_reads_errors(self, official: openai.OpenAI) -> None:
        answer = official.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, instructions="", speed=1.0)
        assert answer.response.headers["content-type"] == "audio/mpeg" and len(answer.content) > 1000
        assert {"fake", "basic"} <= {model.id for model in official.models.list()}
        with pytest.raises(openai.NotFoundError) as missing:
            official.audio.speech.create(model="nothing", voice="alloy", input=TEXT)
        assert (missing.value.code, missing.value.param) == ("MODEL_NOT_FOUND", "model")

    @pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac", "pcm"])
    def test_speech_decodes_in_every_format_and_carries_its_labels(self, api: Client, form: str, tmp_path: Any) -> None:
        answer = speech(api, response_format=form)
        assert answer.status_code == 200 and len(answer.headers["x-job-id"]) == 32
        samples, rate = decoded(answer.content, form)
        assert len(samples) / rate > 0.05 * len(TEXT)
        assert audible_score(samples, rate) > 0.5
        path = tmp_path / f"speech.{form}"
        path.write_bytes(answer.content)
        label = None if form in ("aac", "pcm") else read_metadata(path)
        assert (label is not None) == (form not in ("aac", "pcm"))

    def test_mp3_is_the_default_and_the_fields_become_the_jobs(self, api: Client) -> None:
        answer = speech(api, model="fake", instructions="0.01", speed=1.5, seed=7, steps=4)
        assert answer.headers["content-type"] == "audio/mpeg"
        params = api.get(f"/api/v1/jobs/{answer.headers['x-job-id']}").json()["params"]
        assert (params["instruct"], params["speed"], params["seed"], params["steps"]) == ("0.01", 1.5, 7, 4)
        assert params["format"] == "mp3"

    @pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac", "pcm"])
    def test_a_stream_carries_the_label_first_and_leaves_a_labelled_file(
        self, api: Client, form: str, tmp_path: Any
    ) -> None:
        answer = speech(api, input="你好。", stream=True, response_format=form)
        assert answer.status_code == 200
        samples, rate = decoded(answer.content, form)
        speech_s = len("你好。") * 0.05
        assert len(samples) / rate > speech_s + 0.5
        assert audible_score(samples[: len(samples) - round(speech_s * rate / 2)], rate) > 0.5
        uid = answer.headers["x-job-id"]
        assert finish(api, uid)["state"] == "done"
        stored = tmp_path / "stored.wav"
        stored.write_bytes(api.get(f"/api/v1/jobs/{uid}/audio").content)
        assert read_metadata(stored) is not None
        assert audible_score(*soundfile.read(stored, dtype="float32")) > 0.5

    def test_the_list_of_models_is_openais_with_capabilities(self, api: Client) -> None:
        listed = api.get("/v1/models").json()
        assert listed["object"] == "list"
        for model in listed["data"]:
            assert {"id", "object", "created", "owned_by", "capabilities"} <= model.keys()
            assert model["object"] == "model" and isinstance(model["created"], int)

    def test_a_client_that_leaves_cancels_nothing(self, browser: Client) -> None:
        with pytest.raises(httpx.ReadTimeout):
            browser.post("/v1/audio/speech", json={"input": TEXT, "instructions": "0.3"}, timeout=0.4)
        job = browser.get("/api/v1/jobs").json()["jobs"][0]
        assert finish(browser, job["id"])["state"] == "done"

    def test_an_error_names_the_field_as_openai_calls_it(self, api: Client) -> None:
        assert speech(api, input="…").json()["error"]["param"] == "input"
        assert speech(api, instructions="x" * 300).json()["error"]["param"] == "instructions"


class TestSubmission:
    def test_the_answer_is_202_with_batch_jobs_and_what_was_refused(self, api: Client) -> None:
        answer = submit(api, ("录音.wav", wav(1)))
        assert answer.status_code == 202
        assert answer.json().keys() == {"batch", "jobs", "refused"}
        assert answer.json()["batch"] is None and len(answer.json()["jobs"]) == 1

    def test_many_files_and_the_files_of_a_zip_are_jobs_of_one_batch(self, api: Client) -> None:
        archive = zipped(("一.wav", wav(0.5)), ("子/二.wav", wav(0.5, 1)))
        for files, names in [
            ([("a.wav", wav(0.5)), ("b.wav", wav(0.5))], {"a.wav", "b.wav"}),
            ([("包.zip", archive)], {"一.wav", "二.wav"}),
        ]:
            answer = submit(api, *files).json()
            assert {job["file_name"] for job in answer["jobs"]} == names
            assert answer["batch"] and {job["batch"] for job in answer["jobs"]} == {answer["batch"]}

    def test_the_same_idempotency_key_gives_the_same_job(self, program: Server, api: Client) -> None:
        def send(client: Client, key: str) -> list[str]:
            data, files = {"kind": "transcribe"}, {"file": ("a.wav", wav(0.5))}
            answer = client.post("/api/v1/jobs", data=data, files=files, headers={"idempotency-key": key})
            assert answer.status_code == 202
            return [job["id"] for job in answer.json()["jobs"]]

        assert send(api, "one") == send(api, "one") != send(api, "two")
        with new_browser(program) as other:
            assert send(other, "one") != send(api, "one")

    def test_a_job_has_the_contracts_fields_with_their_types(self, api: Client) -> None:
        job = transcribed(api, name="会议.wav", hotwords=["声坊"])
        assert job.keys() >= JOB_FIELDS
        assert (job["kind"], job["state"], job["file_name"], job["model"]) == ("transcribe", "done", "会议.wav", "fake")
        assert job["duration_s"] == pytest.approx(2.0) and isinstance(job["duration_s"], float)
        assert job["progress"] == 1.0 and job["queue_position"] is None and job["eta_s"] is None
        assert job["devices"] == {"transcribe": "cpu"} and job["language"] == "zh"
        assert (job["batch"], job["error"], job["warnings"], job["voice"]) == (None, None, [], None)
        times = [job[name] for name in ("created_at", "started_at", "finished_at")]
        assert times == sorted(times) and all(ISO_UTC.fullmatch(time) for time in times)

    @pytest.mark.parametrize(
        ("kind", "params"),
        [
            ("transcribe", "model language hotwords itn diarize channels device"),
            ("speak", "model text voice instruct seed speed steps format device"),
            ("convert", "model voice device"),
        ],
    )
    def test_the_params_of_each_kind_are_frozen_in_the_job(self, browser: Client, kind: str, params: str) -> None:
        given: dict[str, Any] = {"transcribe": {}, "speak": {"text": "你好"}, "convert": {"voice": "小李"}}[kind]
        if kind == "convert":
            assert enrol(browser, "小李").status_code == 201
        files = [] if kind == "speak" else [("a.wav", wav(1))]
        answer = submit(browser, *files, kind=kind, params=json.dumps(given))
        assert answer.status_code == 202, answer.text
        job = finish(browser, answer.json()["jobs"][0]["id"])
        assert job["state"] == "done"
        assert set(params.split()) <= job["params"].keys()

    def test_a_device_may_be_named_and_one_that_is_not_there_is_refused(self, api: Client) -> None:
        assert transcribed(api, sound=wav(0.5), device="cpu")["devices"] == {"transcribe": "cpu"}
        answer = submit(api, ("a.wav", wav(0.5)), params='{"device": "npu:0"}')
        assert code(answer) == (422, "DEVICE_UNAVAILABLE")

    def test_a_job_is_cancelled_retried_and_deleted(self, api: Client) -> None:
        slow = json.dumps({"text": TEXT * 3, "instruct": "0.2"})
        uid = submit(api, kind="speak", params=slow).json()["jobs"][0]["id"]
        assert api.post(f"/api/v1/jobs/{uid}/cancel").json()["state"] in ("cancelling", "cancelled")
        assert finish(api, uid)["state"] == "cancelled"
        assert api.post(f"/api/v1/jobs/{uid}/retry").json()["state"] in ("queued", "running")
        assert finish(api, uid)["state"] == "done"
        assert code(api.post(f"/api/v1/jobs/{uid}/retry"))[0] == 409
        assert api.delete(f"/api/v1/jobs/{uid}").status_code in (200, 204)
        assert code(api.get(f"/api/v1/jobs/{uid}")) == (404, "NOT_FOUND")


class TestFollowing:
    def test_the_listing_is_newest_first_and_before_is_exclusive(self, browser: Client) -> None:
        ids = [submit(browser, (f"{n}.wav", wav(0.5))).json()["jobs"][0]["id"] for n in range(5)][::-1]
        first = browser.get("/api/v1/jobs", params={"limit": 2}).json()
        assert first.keys() == {"jobs", "next"}
        assert [job["id"] for job in first["jobs"]] == ids[:2] and first["next"] == ids[1]
        seen, page = [job["id"] for job in first["jobs"]], first
        while page["next"]:
            page = browser.get("/api/v1/jobs", params={"limit": 2, "before": page["next"]}).json()
            seen += [job["id"] for job in page["jobs"]]
        assert seen == ids

    def test_every_filter_of_the_listing_narrows_it_and_the_exports(self, browser: Client) -> None:
        batch = submit(browser, ("x.wav", wav(0.5)), ("y.wav", wav(0.5))).json()
        heard_ = finish(browser, batch["jobs"][0]["id"])
        finish(browser, batch["jobs"][1]["id"])
        said = spoken(browser, text="天气预报。")
        cases = [
            ({"kind": "speak"}, {said["id"]}),
            ({"state": "done", "kind": "transcribe"}, {job["id"] for job in batch["jobs"]}),
            ({"state": "failed"}, set()),
            ({"batch": batch["batch"]}, {job["id"] for job in batch["jobs"]}),
            ({"from": said["created_at"]}, {said["id"]}),
            ({"to": said["created_at"], "q": "x.wav"}, {heard_["id"]}),
            ({"q": "天气"}, {said["id"]}),
        ]
        for query, expected in cases:
            listed = browser.get("/api/v1/jobs", params=query).json()["jobs"]
            exported = browser.get("/api/v1/history.json", params=query).json()
            table = browser.get("/api/v1/history.csv", params=query).content.decode("utf-8-sig")
            assert {job["id"] for job in listed} == expected, query
            assert {job["id"] for job in exported} == expected
            assert {row["id"] for row in csv.DictReader(io.StringIO(table, newline=""))} == expected

    def test_the_segments_have_seconds_and_come_by_what_changed(self, api: Client) -> None:
        job = transcribed(api)
        address = f"/api/v1/jobs/{job['id']}/segments"
        segments = api.get(address).json()["segments"]
        assert "".join(row["text"] for row in segments) == job["text"]
        assert all(isinstance(row[name], float) for row in segments for name in ("start", "end"))
        latest = max(row["change"] for row in segments)
        assert api.get(address, params={"after": latest}).json()["segments"] == []

    def test_an_edit_of_what_has_changed_meanwhile_conflicts_where_it_says_what_was_read(self, api: Client) -> None:
        job = transcribed(api)
        address = f"/api/v1/jobs/{job['id']}/segments"
        number, version = (api.get(address).json()["segments"][0][name] for name in ("n", "version"))
        edit = {"text": "改过的话", "speaker": "甲", "version": version}
        changed = api.patch(f"{address}/{number}", json=edit)
        assert changed.status_code == 200
        assert (changed.json()["text"], changed.json()["speaker"]) == ("改过的话", "甲")
        assert code(api.patch(f"{address}/{number}", json=edit)) == (409, "CONFLICT")
        unconditional = api.patch(f"{address}/{number}", json={"speaker": "乙"}).json()
        assert (unconditional["text"], unconditional["speaker"]) == ("改过的话", "乙")
        assert unconditional["version"] == changed.json()["version"] + 1
        assert "改过的话" in api.get(f"/api/v1/jobs/{job['id']}").json()["text"]
        assert "改过的话" in api.get(f"/api/v1/jobs/{job['id']}/result.txt").text
        assert code(api.patch(f"{address}/999", json=edit)) == (404, "NOT_FOUND")

    def test_the_result_comes_in_six_forms(self, api: Client) -> None:
        job = transcribed(api, name="会议.wav")
        for form in ("txt", "srt", "vtt", "json", "csv", "docx"):
            answer = api.get(f"/api/v1/jobs/{job['id']}/result.{form}")
            assert answer.status_code == 200
            text = answer.text if form != "docx" else _docx_text(answer.content)
            assert job["text"] in text
        assert code(api.get(f"/api/v1/jobs/{job['id']}/result.pdf"))[0] in (404, 422)

    def test_the_recording_is_played_in_ranges(self, api: Client) -> None:
        job = transcribed(api, name="a.flac", sound=_flac())
        address = f"/api/v1/jobs/{job['id']}/audio"
        whole = api.get(address)
        assert whole.headers["content-type"] in ("audio/wav", "audio/x-wav") and whole.content[:4] == b"RIFF"
        part = api.get(address, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
        tail = api.get(address, headers={"range": "bytes=-5"})
        assert (tail.status_code, tail.content) == (206, whole.content[-5:])
        assert code(api.get(address, headers={"range": "bytes=99999999-"}))[0] == 416

    def test_what_was_spoken_is_the_audio_of_its_job(self, api: Client) -> None:
        job = spoken(api, format="flac")
        answer = api.get(f"/api/v1/jobs/{job['id']}/audio")
        samples, rate = decoded(answer.content, "flac")
        assert len(samples) / rate == pytest.approx(job["duration_s"], abs=0.05)

    def test_changes_wait_for_the_next_and_name_the_job(self, program: Server, browser: Client) -> None:
        since = browser.get("/api/v1/changes").json()["since"]
        began = time.monotonic()
        assert browser.get("/api/v1/changes", params={"since": since, "wait": 0.3}).json()["jobs"] == []
        assert time.monotonic() - began >= 0.3
        found: list[dict[str, Any]] = []
        with Client(base_url=program.client.base_url, cookies=dict(browser.cookies), timeout=60) as waiting:
            poll = threading.Thread(
                target=lambda: found.append(waiting.get("/api/v1/changes", params={"since": since}).json())
            )
            poll.start()
            uid = submit(browser, ("a.wav", wav(0.5))).json()["jobs"][0]["id"]
            poll.join(20)
        assert [job["id"] for job in found[0]["jobs"]] == [uid] and found[0]["since"] > since


class TestExports:
    def test_the_csv_has_exactly_the_contracts_columns(self, browser: Client) -> None:
        job = transcribed(browser, name="=1+1.wav", hotwords=["声坊", "客服"])
        assert code(submit(browser, ("long.wav", b"no audio")))[0] == 422
        failed = finish(browser, submit(browser, ("long.wav", _too_long())).json()["jobs"][0]["id"])
        table = browser.get("/api/v1/history.csv")
        assert table.headers["content-type"].startswith("text/csv")
        text = table.content.decode("utf-8-sig")
        assert text.splitlines()[0] == CSV_COLUMNS
        bad, good = csv.DictReader(io.StringIO(text, newline=""))
        assert (bad["id"], bad["state"], bad["error_code"]) == (failed["id"], "failed", "TOO_LONG")
        assert (good["text"], good["text_raw"], good["created_at"]) == (job["text"], job["text_raw"], job["created_at"])
        assert (good["itn"], good["device"], good["duration_s"]) == ("true", "cpu", "2.0")
        assert good["hotwords"].split() == ["声坊", "客服"] and not good["file_name"].startswith("=")

    def test_the_json_is_one_array_of_jobs(self, browser: Client) -> None:
        assert browser.get("/api/v1/history.json").json() == []
        job = transcribed(browser)
        assert browser.get("/api/v1/history.json").json() == [browser.get(f"/api/v1/jobs/{job['id']}").json()]


class TestVoices:
    def test_without_consent_the_answer_says_exactly_what_to_send(self, browser: Client) -> None:
        answer = enrol(browser, "小王", consent="")
        assert code(answer) == (422, "CONSENT_REQUIRED")
        error = answer.json()["error"]
        said = error["message"] + error["hint"]
        assert error["param"] == "consent" and all(word in said for word in ("basis", "self", "written", "recorded"))
        sent = json.loads(re.findall(r"\{.*\}", error["hint"])[0])
        assert enrol(browser, "小王", consent=json.dumps(sent)).status_code == 201

    @pytest.mark.parametrize("consent", [{}, {"basis": "self"}, {"subject": "x"}, {"basis": "said", "subject": "x"}])
    def test_half_a_consent_is_none(self, browser: Client, consent: dict[str, str]) -> None:
        assert code(enrol(browser, "小王", consent=json.dumps(consent))) == (422, "CONSENT_REQUIRED")
        job = {"text": "你好", "transcript": "今天"}
        spoken = submit(browser, ("p.wav", prompt()), kind="speak", params=json.dumps(job), consent=json.dumps(consent))
        assert code(spoken) == (422, "CONSENT_REQUIRED")

    @pytest.mark.parametrize("basis", ["self", "written", "recorded"])
    def test_each_basis_is_accepted_with_evidence_and_an_end(self, browser: Client, basis: str) -> None:
        consent = {"basis": basis, "subject": "李四", "evidence": "合同 12", "expires_at": "2099-01-01T00:00:00Z"}
        kept = enrol(browser, "小王", consent=json.dumps(consent)).json()["consent"]
        assert (kept["basis"], kept["subject"], kept["evidence"]) == (basis, "李四", "合同 12")
        assert datetime.fromisoformat(kept["expires_at"].replace("Z", "+00:00")).year == 2099

    def test_what_is_optional_may_be_null(self, browser: Client) -> None:
        consent = {**CONSENT, "evidence": None, "expires_at": None}
        assert enrol(browser, "小王", consent=json.dumps(consent)).status_code == 201


class TestTheMachine:
    def test_the_devices_are_an_array_with_the_contracts_fields(self, api: Client) -> None:
        listed = api.get("/api/v1/devices").json()
        fields = {"id", "kind", "name", "usable", "reason", "memory_total", "memory_free"}
        assert all(device.keys() >= fields for device in listed)
        (cpu,) = (device for device in listed if device["id"] == "cpu")
        assert (cpu["kind"], cpu["usable"]) == ("cpu", True)
        assert 0 < cpu["memory_free"] <= cpu["memory_total"]

    def test_it_is_alive_ready_and_measured(self, api: Client) -> None:
        assert api.get("/healthz").status_code == 200
        assert api.get("/readyz").status_code == 200
        metrics = api.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain") and "shengfang_" in metrics.text

    def test_a_connection_may_rest_between_two_requests(self, program: Server) -> None:
        connection = http.client.HTTPConnection(
            program.client.base_url.host, program.client.base_url.port or 80, timeout=30
        )
        connection.connect()
        first = connection.sock
        with closing(connection):
            for pause in (6.0, 0.0):
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                assert (answer.status, answer.read() != b"") == (200, True)
                time.sleep(pause)
                assert connection.sock is first

    def test_the_documentation_pages_are_off_and_the_schema_is_there(self, api: Client) -> None:
        for path in ("/docs", "/redoc"):
            assert code(api.get(path)) == (404, "NOT_FOUND")
        paths = api.get("/openapi.json").json()["paths"]
        assert {"/api/v1/jobs", "/v1/audio/speech", "/v1/audio/transcriptions", "/api/v1/changes"} <= paths.keys()


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            *[("GET", path, 404) for path in ("/nowhere", "/api/v1/nowhere", "/v1/nowhere", "/static/nowhere.js")],
            ("GET", f"/api/v1/jobs/{'0' * 32}", 404),
            ("GET", "/api/v1/jobs/none/segments", 404),
            ("GET", "/api/v1/jobs/none/result.txt", 404),
            ("GET", "/api/v1/jobs/none/audio", 404),
            ("DELETE", "/api/v1/jobs/none", 404),
            ("POST", "/api/v1/jobs/none/cancel", 404),
            ("GET", "/api/v1/voices/none", 404),
            ("GET", "/api/v1/jobs?before=none", 404),
            *[("POST", path, 405) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/")],
            *[("DELETE", path, 405) for path in ("/healthz", "/api/v1/jobs", "/v1/models", "/v1/audio/speech")],
            *[("TRACE", path, 405) for path in ("/healthz", "/v1/models")],
            *[("PUT", path, 405) for path in ("/api/v1/devices", "/api/v1/history.csv", "/api/v1/changes")],
            *[("GET", f"/api/v1/jobs?{query}", 422) for query in ("limit=0", "limit=x", "kind=sing", "state=gone")],
            *[("GET", path, 422) for path in ("/api/v1/jobs?from=soon", "/api/v1/changes?since=x")],
            ("PATCH", "/api/v1/jobs/none/segments/x", 422),
            ("POST", "/v1/audio/speech", 422),
            ("POST", "/api/v1/jobs", 400),
            ("POST", "/v1/audio/transcriptions", 400),
        ],
    )
    def test_every_error_has_the_one_shape(self, api: Client, method: str, path: str, status: int) -> None:
        answer = api.request(method, path)
        error = answer.json()["error"]
        assert (answer.status_code, error.keys()) == (status, {"code", "message", "hint", "type", "param"})
        assert re.fullmatch(r"[A-Z_]+", error["code"]) and error["message"] and error["type"]
        assert error["param"] is None or isinstance(error["param"], str)
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("path", ["/api/v1/jobs", "/v1/audio/transcriptions", "/api/v1/voices"])
    def test_a_body_beyond_the_limit_is_413(self, api: Client, path: str) -> None:
        answer = api.post(path, data={"kind": "transcribe"}, files={"file": ("a.wav", b"0" * (22 * 2**20))})
        assert code(answer) == (413, "TOO_LARGE")

    def test_a_full_queue_is_429(self, browser: Client) -> None:
        archive = zipped(*[(f"{number}.wav", wav(0.2)) for number in range(31)])
        answer = submit(browser, ("many.zip", archive))
        assert code(answer) == (429, "QUEUE_FULL") and "30" in answer.json()["error"]["message"]
        assert browser.get("/api/v1/jobs").json()["jobs"] == []

    @pytest.mark.parametrize(
        ("accept", "english"),
        [
            (None, False),
            ("zh-CN", False),
            ("en", True),
            ("en-US,en;q=0.9,zh;q=0.8", True),
            ("fr", False),
            ("zh; q=0.1, en; q=0.9", True),
        ],
    )
    def test_the_language_is_the_readers_and_chinese_by_default(
        self, api: Client, accept: str | None, english: bool
    ) -> None:
        headers = {} if accept is None else {"accept-language": accept}
        message = api.get("/api/v1/jobs/none", headers=headers).json()["error"]["message"]
        assert message.isascii() == english

    def test_a_stored_error_is_worded_when_it_is_shown(self, api: Client) -> None:
        uid = transcribed(api, model="basic", language="zh")["id"]
        for language, english in (("zh", False), ("en", True)):
            job = api.get(f"/api/v1/jobs/{uid}", headers={"accept-language": language}).json()
            assert job["error"]["code"] == "MODEL_NEEDED"
            assert job["error"]["message"].isascii() == english

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n", "UNSUPPORTED_FORMAT"),
            (b"[playlist]\nFile1=http://127.0.0.1/a.mp3\n", "UNSUPPORTED_FORMAT"),
            (b"ffconcat version 1.0\nfile 'a.wav'\n", "UNSUPPORTED_FORMAT"),
            (b"#!/bin/sh\necho hello\n", "UNSUPPORTED_FORMAT"),
            (b"<?php echo 1; ?>\n", "UNSUPPORTED_FORMAT"),
            (b"@echo off\r\ndir\r\n", "UNSUPPORTED_FORMAT"),
            (b"<script>alert(1)</script>", "UNSUPPORTED_FORMAT"),
            (b"[InternetShortcut]\nURL=http://127.0.0.1/\n", "UNSUPPORTED_FORMAT"),
            (b"Dear Sir or Madam, this is a letter.", "NOT_AUDIO"),
            (b"<!doctype html><html><body>404</body></html>", "NOT_AUDIO"),
            (b"\x89PNG\r\n\x1a\n" + bytes(200), "NOT_AUDIO"),
            (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "NOT_AUDIO"),
            (b"", "EMPTY_AUDIO"),
            (b"fLaC" + b"\x13" * 500, "BAD_AUDIO"),
            (b"OggS" + b"\x13" * 500, "BAD_AUDIO"),
            (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\0\0\x10\0mdat" + b"\x55" * 500, "TRUNCATED"),
        ],
    )
    def test_what_is_no_recording_is_422_at_once_by_every_door(
        self, api: Client, content: bytes, expected: str
    ) -> None:
        assert code(submit(api, ("talk.wav", content))) == (422, expected)
        file = {"file": ("talk.mp3", content)}
        assert code(api.post("/v1/audio/transcriptions", data={"model": "fake"}, files=file)) == (422, expected)

    def test_a_recording_beyond_the_limit_is_too_long(self, browser: Client) -> None:
        answer = submit(browser, ("long.wav", _too_long()))
        error = finish(browser, answer.json()["jobs"][0]["id"])["error"]
        assert error["code"] == "TOO_LONG" and "0.05" in error["message"]
        file = {"file": ("long.wav", _too_long())}
        assert code(browser.post("/v1/audio/transcriptions", files=file)) == (422, "TOO_LONG")

    def test_odd_parameters_name_the_field(self, api: Client) -> None:
        cases = [('{"bogus": 1}', "bogus"), ('{"itn": "perhaps"}', "itn"), ("{", "params"), ("[]", "params")]
        for params, field in cases:
            answer = submit(api, ("a.wav", wav(0.5)), params=params)
            assert code(answer) == (422, "INVALID_FIELD") and answer.json()["error"]["param"] == field
        assert code(submit(api, ("a.wav", wav(0.5)), kind="sing")) == (422, "INVALID_FIELD")


class TestWhoMay:
    def test_each_browser_is_its_own_owner_by_a_cookie_no_script_can_read(self, program: Server) -> None:
        with Client(base_url=program.client.base_url) as fresh:
            cookie = fresh.get("/", headers={"accept": "text/html"}).headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=") and "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
        with new_browser(program) as one, new_browser(program) as other:
            uid = transcribed(one)["id"]
            paths = [f"/api/v1/jobs/{uid}{rest}" for rest in ("", "/segments", "/audio", "/result.txt")]
            assert all(one.get(path).status_code == 200 for path in paths)
            assert all(code(other.get(path)) == (404, "NOT_FOUND") for path in paths)
            assert other.get("/api/v1/jobs").json()["jobs"] == [] == other.get("/api/v1/history.json").json()
            assert other.get("/api/v1/changes", params={"since": 0, "wait": 0}).json()["jobs"] == []

    def test_callers_without_a_cookie_are_one_owner_and_a_bearer_value_is_ignored(self, program: Server) -> None:
        uid = transcribed(program.client, sound=wav(0.5))["id"]
        with Client(base_url=program.client.base_url, headers={"authorization": "Bearer anything"}) as bearer:
            answer = bearer.get(f"/api/v1/jobs/{uid}")
            assert answer.status_code == 200 and "set-cookie" not in answer.headers

    @pytest.mark.parametrize("host", ["127.0.0.1", "192.168.7.7:7860", "[::1]", "[fe80::1]:7860", "10.1.2.3"])
    def test_any_ip_literal_is_a_host(self, api: Client, host: str) -> None:
        assert api.get("/api/v1/jobs", headers={"host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "shengfang.lan:7860"])
    def test_a_host_name_needs_to_be_allowed(self, api: Client, host: str) -> None:
        for path in ("/", "/healthz", "/api/v1/jobs", "/v1/models"):
            assert code(api.get(path, headers={"host": host})) == (403, "FORBIDDEN_HOST")


class TestTheFakeEngine:
    def test_its_transcript_is_a_function_of_the_audio(self, api: Client) -> None:
        one, same, other = (transcribed(api, sound=wav(1, seed), itn=False)["text"] for seed in (1, 1, 2))
        assert one == same != other
        assert one.startswith("听到") and callable(heard)


def _too_long() -> bytes:
    """200 s; the limit of the test's server is 180."""
    return wav_of(np.zeros(16_000 * 200, np.int16))


def _flac() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, buzz(1.0), 16_000, format="FLAC")
    return buffer.getvalue()


def _docx_text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return re.sub("<[^>]+>", "", archive.read("word/document.xml").decode())
