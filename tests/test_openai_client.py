"""OpenAI's own client, and OpenAI's shapes, against a real server with the fake engine."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import soundfile

from tests.api_kit import Server, code, wav
from webui.audio.aigc_label.audible import audible_score
from webui.audio.aigc_label.label import read_metadata

TEXT = "您好，这里是客服中心。请问有什么可以帮您？"


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


@pytest.fixture
def plain(server: Server) -> Iterator[httpx.Client]:
    with server.api() as client:
        yield client


def test_a_recording_is_transcribed(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", wav(2)))
    assert answer.text.startswith("听到")


def test_verbose_json_has_segments_and_words(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="fake",
        file=("a.wav", wav(2)),
        language="zh",
        response_format="verbose_json",
        timestamp_granularities=["segment", "word"],
    )
    assert answer.language == "zh"
    assert answer.duration == pytest.approx(2, abs=0.05)
    assert answer.segments is not None and answer.words is not None
    assert "".join(segment.text for segment in answer.segments) == answer.text
    assert "".join(word.word for word in answer.words) == answer.text
    assert 0 <= answer.segments[0].start < answer.segments[0].end <= 2.1


def test_words_come_only_when_asked_for(plain: httpx.Client) -> None:
    answer = transcription(plain, response_format="verbose_json").json()
    assert "segments" in answer
    assert "words" not in answer


def transcription(client: httpx.Client, **fields: str) -> httpx.Response:
    return client.post("/v1/audio/transcriptions", data=fields, files={"file": ("a.wav", wav(2))})


@pytest.mark.parametrize(
    ("form", "kind", "start"),
    [
        ("json", "application/json", '{"text"'),
        ("text", "text/plain", "听到"),
        ("srt", "", "1\n00:00:"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("verbose_json", "application/json", '{"task"'),
    ],
)
def test_the_five_formats(plain: httpx.Client, form: str, kind: str, start: str) -> None:
    response = transcription(plain, response_format=form)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert response.text.lstrip("\ufeff").replace("\r\n", "\n").startswith(start)
    assert len(response.headers["x-job-id"]) == 32


def test_the_words_of_the_prompt_are_hotwords_unless_there_are_some(plain: httpx.Client) -> None:
    def hotwords(**fields: str) -> list[str]:
        uid = transcription(plain, **fields).headers["x-job-id"]
        return plain.get(f"/api/v1/jobs/{uid}").json()["params"]["hotwords"]

    assert hotwords(prompt="声坊 客服") == ["声坊", "客服"]
    assert hotwords(prompt="声坊 客服", hotwords="阿里\n腾讯") == ["阿里", "腾讯"]


def test_basic_recognises_english_and_says_what_else_needs(server: Server, plain: httpx.Client) -> None:
    response = transcription(plain, model="basic", language="zh")
    assert code(response) == (422, "MODEL_NEEDED")
    assert "zh" in response.json()["error"]["message"]
    job = plain.get(f"/api/v1/jobs/{response.headers['x-job-id']}").json()
    assert (job["state"], job["error"]["code"], job["text"]) == ("partial", "MODEL_NEEDED", "")
    assert plain.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]


def test_errors_have_openais_shape(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.audio.transcriptions.create(model="whisper-99", file=("a.wav", wav(1)))
    assert missing.value.code == "MODEL_NOT_FOUND"
    assert missing.value.type == "invalid_request_error"
    with pytest.raises(openai.UnprocessableEntityError) as text:
        client.audio.transcriptions.create(model="fake", file=("a.wav", b"not audio, only text"))
    assert text.value.code == "NOT_AUDIO"


def test_an_archive_is_no_recording_here(plain: httpx.Client) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.wav", wav(1))
    response = plain.post("/v1/audio/transcriptions", files={"file": ("a.zip", buffer.getvalue())})
    assert code(response) == (422, "NOT_AUDIO")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities"),
        ({"channels": "left"}, "channels"),
        ({"language": "x" * 100}, "language"),
    ],
)
def test_odd_fields_are_422(plain: httpx.Client, fields: dict[str, str], param: str) -> None:
    response = transcription(plain, **fields)
    assert code(response) == (422, "INVALID_FIELD")
    assert response.json()["error"]["param"] == param


def test_the_list_of_models_has_their_capabilities(client: openai.OpenAI, plain: httpx.Client) -> None:
    assert {"fake", "basic"} <= {model.id for model in client.models.list()}
    data = plain.get("/v1/models").json()["data"]
    assert len({model["id"] for model in data}) == len(data)
    basic = next(model for model in data if model["id"] == "basic")["capabilities"]
    assert (basic["recognizer"]["languages"], basic["synthesizer"]["languages"]) == (["en"], ["zh", "en"])
    assert basic["recognizer"]["unavailable"]["hotwords"]["message"]


def test_speech_comes_as_mp3_with_both_labels(client: openai.OpenAI, tmp_path: Path) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    uid = answer.response.headers["x-job-id"]
    (tmp_path / "speech.mp3").write_bytes(answer.content)
    label = read_metadata(tmp_path / "speech.mp3")
    assert label is not None and label["ProduceID"] == uid
    samples, rate = soundfile.read(tmp_path / "speech.mp3", dtype="float32")
    assert audible_score(samples[-round(2 * rate) :], rate) > 0.8
    assert len(samples) / rate > len(TEXT) * 0.05


@pytest.mark.parametrize(
    ("form", "kind"),
    [("wav", "audio/wav"), ("flac", "audio/flac"), ("opus", "audio/ogg"), ("aac", "audio/aac"), ("pcm", "audio/pcm")],
)
def test_speech_comes_in_every_format(plain: httpx.Client, form: str, kind: str) -> None:
    asked = {"model": "fake", "input": "你好。", "voice": "builtin", "response_format": form}
    response = plain.post("/v1/audio/speech", json=asked)
    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert len(response.content) > 1000


def test_a_file_that_lost_its_label_is_withheld(server: Server, plain: httpx.Client) -> None:
    uid = plain.post("/v1/audio/speech", json={"input": "你好。", "response_format": "wav"}).headers["x-job-id"]
    assert plain.get(f"/api/v1/jobs/{uid}/audio").status_code == 200
    path = server.services.settings.outputs / uid / "speech.wav"
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples, rate)
    assert code(plain.get(f"/api/v1/jobs/{uid}/audio")) == (500, "LABEL_MISSING")


def test_a_stream_begins_with_the_label_and_leaves_a_checked_file(client: openai.OpenAI, plain: httpx.Client) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="fake", voice="builtin", input=TEXT, response_format="pcm", extra_body={"stream": True}
    ) as answer:
        uid = answer.headers["x-job-id"]
        streamed = b"".join(answer.iter_bytes())
    samples = soundfile.read(
        io.BytesIO(streamed), samplerate=24_000, channels=1, format="RAW", subtype="PCM_16", dtype="float32"
    )[0]
    assert audible_score(samples[: 2 * 24_000], 24_000) > 0.8
    stored = soundfile.read(io.BytesIO(plain.get(f"/api/v1/jobs/{uid}/audio").content), dtype="float32")[0]
    spoken = len(TEXT) * 0.05
    assert len(samples) / 24_000 > 1.32 + spoken
    assert len(stored) / 24_000 > 1.32 + spoken


@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac"])
def test_a_stream_can_be_read_in_every_format(plain: httpx.Client, form: str, tmp_path: Path) -> None:
    import av

    asked = {"input": TEXT, "response_format": form, "stream": True}
    response = plain.post("/v1/audio/speech", json=asked)
    path = tmp_path / f"stream.{form}"
    path.write_bytes(response.content)
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert sum(frame.samples for frame in frames) / frames[0].sample_rate > 1.32 + len(TEXT) * 0.05


def test_instructions_are_the_instruction(plain: httpx.Client) -> None:
    asked = {"input": "你好。", "instructions": "0", "seed": 7, "speed": 1.5, "steps": 5, "response_format": "wav"}
    uid = plain.post("/v1/audio/speech", json=asked).headers["x-job-id"]
    params = plain.get(f"/api/v1/jobs/{uid}").json()["params"]
    assert (params["instruct"], params["seed"], params["speed"], params["steps"]) == ("0", 7, 1.5, 5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"input": ""}, "NOTHING_TO_SAY"),
        ({"input": "…"}, "NOTHING_TO_SAY"),
        ({"input": "x" * 100_001}, "TEXT_TOO_LONG"),
        ({"input": None}, "INVALID_FIELD"),
        ({"speed": 9}, "INVALID_FIELD"),
        ({"response_format": "midi"}, "INVALID_FIELD"),
        ({"stream_format": "sse"}, "INVALID_FIELD"),
        ({"seed": -1}, "INVALID_FIELD"),
        ({"voice": "nobody"}, "VOICE_NOT_FOUND"),
        ({"model": "nobody"}, "MODEL_NOT_FOUND"),
    ],
)
def test_what_cannot_be_spoken_is_refused(plain: httpx.Client, change: dict[str, object], expected: str) -> None:
    response = plain.post("/v1/audio/speech", json={"input": "你好。", "voice": "builtin"} | change)
    assert code(response)[1] == expected
    assert response.status_code in (404, 422)


def test_json_that_is_none_is_refused(plain: httpx.Client) -> None:
    for content in (b"{", b"[]", json.dumps({"input": 1}).encode()):
        response = plain.post("/v1/audio/speech", content=content, headers={"content-type": "application/json"})
        assert code(response) == (422, "INVALID_FIELD")


def test_a_client_that_leaves_cancels_nothing(server: Server, plain: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout), httpx.Client(base_url=server.url, timeout=0.5) as hasty:
        hasty.post(
            "/v1/audio/speech", json={"input": "走了也要说完。", "instructions": "1.5", "response_format": "wav"}
        )
    job = plain.get("/api/v1/jobs", params={"kind": "speak", "limit": 1}).json()["jobs"][0]
    assert job["params"]["text"] == "走了也要说完。"
    assert server.services.jobs.wait(server.services.accounts.owner_of(None), job["id"], 30).state == "done"


def test_unknown_v1_paths_have_openais_error(client: openai.OpenAI, plain: httpx.Client) -> None:
    assert code(plain.get("/v1/nothing")) == (404, "NOT_FOUND")
    assert code(plain.get("/v1/audio/speech")) == (405, "METHOD_NOT_ALLOWED")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="fake", messages=[])
