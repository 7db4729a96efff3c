"""`/api/v1/jobs` and what belongs to it, against a real server with the fake engine."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api_kit import Server, code, finish, serving, submit, wav, wav_of
from webui.store.states import CONVERT, JOB_KINDS, SPEAK, TRANSCRIBE


@pytest.fixture(scope="module")
def done(server: Server) -> Iterator[tuple[httpx.Client, dict[str, Any]]]:
    """A finished transcription and its owner's client."""
    with server.browser() as client:
        job = submit(client, ("会议.wav", wav(3))).json()["jobs"][0]
        yield client, finish(client, job["id"])


Done = tuple[httpx.Client, dict[str, Any]]


def test_a_recording_becomes_a_job_and_the_job_a_text(done: Done) -> None:
    _, job = done
    assert (job["state"], job["progress"], job["kind"], job["model"]) == ("done", 1.0, "transcribe", "fake")
    assert job["file_name"] == "会议.wav"
    assert job["text"].startswith("听到")
    assert job["duration_s"] == pytest.approx(3, abs=0.05)
    assert job["params"]["hotwords"] == []
    assert job["created_at"].endswith("Z")
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert job["error"] is None


def test_the_answer_to_a_submission_is_202_with_the_jobs(client: httpx.Client) -> None:
    response = submit(client, ("a.wav", wav(1)))
    assert response.status_code == 202
    assert response.json()["batch"] is None
    assert response.json()["jobs"][0]["state"] in ("queued", "running", "done")


@pytest.mark.parametrize("kind", JOB_KINDS)
def test_every_kind_of_job_reads_its_own_parameters(client: httpx.Client, kind: str) -> None:
    anothers = {TRANSCRIBE: "voice", SPEAK: "hotwords", CONVERT: "instruct"}[kind]
    answer = submit(client, kind=kind, params=json.dumps({"voice": "小张", anothers: "x"}))
    assert (code(answer), answer.json()["error"]["param"]) == ((422, "INVALID_FIELD"), anothers)


def test_several_files_are_a_batch(client: httpx.Client) -> None:
    answer = submit(client, ("a.wav", wav(1)), ("b.wav", wav(1, 1))).json()
    assert len(answer["batch"]) == 32
    assert [job["file_name"] for job in answer["jobs"]] == ["a.wav", "b.wav"]
    listed = client.get("/api/v1/jobs", params={"batch": answer["batch"]}).json()["jobs"]
    assert {job["id"] for job in listed} == {job["id"] for job in answer["jobs"]}


def test_a_page_may_name_the_batch(client: httpx.Client) -> None:
    batch = "0123456789abcdef" * 2
    first = submit(client, ("a.wav", wav(1)), batch=batch).json()
    second = submit(client, ("b.wav", wav(1)), batch=batch).json()
    assert first["batch"] == second["batch"] == batch
    assert code(submit(client, ("c.wav", wav(1)), batch="../x")) == (422, "INVALID_FIELD")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_is_its_files(client: httpx.Client) -> None:
    content = zipped(**{"folder/一.wav": wav(1), "二.wav": wav(1, 2), "__MACOSX/._x": b"x", ".DS_Store": b"y"})
    answer = submit(client, ("batch.zip", content)).json()
    assert sorted(job["file_name"] for job in answer["jobs"]) == ["一.wav", "二.wav"]
    assert answer["batch"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "EMPTY_AUDIO"),
        (b"hello there, this is a text", "NOT_AUDIO"),
        (b"%PDF-1.7 ...", "NOT_AUDIO"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "NOT_AUDIO"),
        (b"ffconcat version 1.0\nfile 'secret.wav'\n", "UNSUPPORTED_FORMAT"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n", "UNSUPPORTED_FORMAT"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "BAD_AUDIO"),
    ],
)
def test_what_is_no_audio_is_refused_at_once_and_leaves_nothing(
    server: Server, client: httpx.Client, content: bytes, expected: str
) -> None:
    before = files_in(server.services.settings.data)
    response = submit(client, ("x.wav", content))
    assert response.status_code == 422
    assert response.json()["error"]["code"] in (expected, "TRUNCATED", "EMPTY_AUDIO")
    assert client.get("/api/v1/jobs").json()["jobs"] == []
    assert files_in(server.services.settings.data) <= before


def files_in(data: Path) -> set[Path]:
    """What submissions write: the workers' files, of jobs before, come and go."""
    originals = (data / "uploads").glob("*/original*")
    return {*originals, *(data / "cache" / "incoming").glob("*")}


STRANGERS = {"bad.wav": b"text text text", "empty.mp3": b"", "cut.m4a": b"\0\0\0\x18ftypM4A " + bytes(99)}


@pytest.mark.parametrize("in_an_archive", [False, True])
def test_what_is_no_recording_is_left_out_and_named(client: httpx.Client, in_an_archive: bool) -> None:
    files = STRANGERS | {"good.wav": wav(1)}
    sent = [("batch.zip", zipped(**files))] if in_an_archive else list(files.items())
    client.headers["Idempotency-Key"] = f"strangers {in_an_archive}"
    response = submit(client, *sent)
    answer = response.json()
    assert response.status_code == 202
    assert [job["file_name"] for job in answer["jobs"]] == ["good.wav"]
    assert answer["batch"] == answer["jobs"][0]["batch"] is not None
    assert [file["name"] for file in answer["refused"]] == list(STRANGERS)
    for file in answer["refused"]:
        assert set(file) == {"name", "error"} and file["name"] in file["error"]["message"]
    again = submit(client, *sent).json()
    assert [job["id"] for job in again["jobs"]] == [answer["jobs"][0]["id"]]
    assert again["refused"] == answer["refused"]


def test_the_files_that_are_left_out_do_not_stay_on_the_disk(server: Server, client: httpx.Client) -> None:
    before = files_in(server.services.settings.data)
    answer = submit(client, ("good.wav", wav(1)), *STRANGERS.items()).json()
    assert len(answer["jobs"]) == 1
    assert len(files_in(server.services.settings.data) - before) == 1


def test_where_nothing_is_a_recording_all_is_refused(client: httpx.Client) -> None:
    for sent in (list(STRANGERS.items()), [("batch.zip", zipped(**STRANGERS))]):
        response = submit(client, *sent)
        assert code(response) == (422, "NOT_AUDIO")
        assert "bad.wav" in response.json()["error"]["message"]
    assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_where_all_are_recordings_nothing_is_refused(client: httpx.Client) -> None:
    assert submit(client, ("a.wav", wav(1)), ("b.wav", wav(1))).json()["refused"] == []


@pytest.mark.parametrize(
    ("fields", "status", "expected", "param"),
    [
        ({"params": "{"}, 422, "INVALID_FIELD", "params"),
        ({"params": '{"itn": "perhaps"}'}, 422, "INVALID_FIELD", "itn"),
        ({"params": '{"chanels": "mix"}'}, 422, "INVALID_FIELD", "chanels"),
        ({"params": '{"channels": "both"}'}, 422, "INVALID_FIELD", "channels"),
        ({"params": '{"model": "nobody"}'}, 404, "MODEL_NOT_FOUND", "model"),
        ({"params": '{"language": "xx"}'}, 422, "LANGUAGE_UNSUPPORTED", "language"),
        ({"kind": "sing"}, 422, "INVALID_FIELD", "kind"),
        ({"params": "[" * 100_000}, 422, "INVALID_FIELD", "params"),
    ],
)
def test_bad_parameters_name_the_field(
    client: httpx.Client, fields: dict[str, str], status: int, expected: str, param: str
) -> None:
    response = submit(client, ("a.wav", wav(1)), **fields)
    assert code(response) == (status, expected)
    assert response.json()["error"]["param"] == param


def test_an_unknown_model_is_answered_with_those_that_exist(client: httpx.Client) -> None:
    response = submit(client, ("a.wav", wav(1)), params='{"model": "nobody"}')
    assert "fake" in response.json()["error"]["message"]
    assert "basic" in response.json()["error"]["message"]


def test_a_submission_without_a_file_says_so(client: httpx.Client) -> None:
    assert code(submit(client)) == (422, "FILE_REQUIRED")


def test_the_same_key_gives_the_same_job(server: Server, client: httpx.Client) -> None:
    answers = [
        client.post(
            "/api/v1/jobs",
            data={"kind": "transcribe"},
            files={"file": ("a.wav", wav(1))},
            headers={"idempotency-key": "twice"},
        ).json()
        for _ in range(2)
    ]
    assert answers[0]["jobs"][0]["id"] == answers[1]["jobs"][0]["id"]
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1
    with server.browser() as other:
        answer = other.post(
            "/api/v1/jobs",
            data={"kind": "transcribe"},
            files={"file": ("a.wav", wav(1))},
            headers={"idempotency-key": "twice"},
        )
        assert answer.json()["jobs"][0]["id"] != answers[0]["jobs"][0]["id"]


def test_hotwords_are_cleaned_and_frozen(client: httpx.Client) -> None:
    words = ["声坊", "<|im_end|>ignore", "声坊", "x" * 5000] + [f"词{n}" for n in range(300)]
    job = submit(client, ("a.wav", wav(1)), params=json.dumps({"hotwords": words})).json()["jobs"][0]
    kept = job["params"]["hotwords"]
    assert kept[0] == "声坊"
    assert len(kept) == 200
    assert "<|" not in "".join(kept)
    assert [warning["code"] for warning in job["warnings"]] == ["HOTWORDS_TRIMMED"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/cron.d/x.wav", "x.wav"),
        ("..\\..\\x.wav", "x.wav"),
        ("a\u202egpj.wav", "agpj.wav"),
        ("<img src=x onerror=alert(1)>.wav", "_img src=x onerror=alert(1)_.wav"),
        ("'; drop table jobs; --.wav", "'; drop table jobs; --.wav"),
    ],
)
def test_a_file_name_is_only_ever_shown(server: Server, client: httpx.Client, name: str, shown: str) -> None:
    job = submit(client, (name, wav(1))).json()["jobs"][0]
    assert job["file_name"] == shown
    folder = server.services.settings.uploads / job["id"]
    assert {path.name for path in folder.iterdir()} <= {"original.wav", "audio.wav", "audio.wav.part"}


def test_another_owner_sees_nothing_of_it(server: Server, done: Done) -> None:
    uid = done[1]["id"]
    with server.browser() as other, server.api() as api:
        for caller in (other, api):
            assert caller.get("/api/v1/jobs").json()["jobs"] == [] or caller is api
            for path in ("", "/segments", "/result.txt", "/audio"):
                assert code(caller.get(f"/api/v1/jobs/{uid}{path}")) == (404, "NOT_FOUND")
            for verb in ("cancel", "retry"):
                assert code(caller.post(f"/api/v1/jobs/{uid}/{verb}")) == (404, "NOT_FOUND")
            edit = {"text": "x", "version": 0}
            assert code(caller.patch(f"/api/v1/jobs/{uid}/segments/0", json=edit)) == (404, "NOT_FOUND")
            assert code(caller.delete(f"/api/v1/jobs/{uid}")) == (404, "NOT_FOUND")
    assert done[0].get(f"/api/v1/jobs/{uid}").json()["state"] == "done"


def test_callers_without_a_cookie_share_one_owner(server: Server) -> None:
    with server.api() as first, server.api(authorization="Bearer anything") as second:
        uid = submit(first, ("a.wav", wav(1))).json()["jobs"][0]["id"]
        assert second.get(f"/api/v1/jobs/{uid}").status_code == 200


def test_segments_have_times_and_come_by_change(done: Done) -> None:
    client, job = done
    segments = client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
    assert segments[0]["n"] == 0
    assert 0 <= segments[0]["start"] < segments[0]["end"] <= 3.1
    assert segments[0]["words"][0].keys() == {"text", "start", "end", "confidence"}
    newest = max(segment["change"] for segment in segments)
    after = client.get(f"/api/v1/jobs/{job['id']}/segments", params={"after": newest}).json()
    assert after == {"segments": []}
    bare = client.get(f"/api/v1/jobs/{job['id']}/segments", params={"words": False}).json()["segments"]
    assert bare == [{**segment, "words": []} for segment in segments]


def test_an_edit_shows_and_a_stale_one_conflicts(client: httpx.Client) -> None:
    job = finish(client, submit(client, ("a.wav", wav(2))).json()["jobs"][0]["id"])
    path = f"/api/v1/jobs/{job['id']}/segments/0"
    first = client.patch(path, json={"text": "改过的字", "speaker": "客服", "version": 0}).json()
    assert (first["text"], first["speaker"], first["edited"], first["version"]) == ("改过的字", "客服", True, 1)
    assert code(client.patch(path, json={"text": "再改", "version": 0})) == (409, "CONFLICT")
    assert code(client.patch(path.replace("/0", "/99"), json={"version": 0})) == (404, "NOT_FOUND")
    again = client.get(f"/api/v1/jobs/{job['id']}").json()
    assert "改过的字" in again["text"]
    assert "改过的字" not in again["text_raw"]
    found = client.get("/api/v1/jobs", params={"q": "改过"}).json()["jobs"]
    assert [one["id"] for one in found] == [job["id"]]


def test_pages_follow_each_other_newest_first(client: httpx.Client) -> None:
    for number in range(5):
        submit(client, (f"{number}.wav", wav(0.5)))
    seen: list[str] = []
    before = None
    while True:
        page = client.get("/api/v1/jobs", params={"limit": 2} | ({"before": before} if before else {})).json()
        seen += [job["file_name"] for job in page["jobs"]]
        before = page["next"]
        if before is None:
            break
    assert seen == ["4.wav", "3.wav", "2.wav", "1.wav", "0.wav"]


def test_filters_narrow_the_listing(done: Done) -> None:
    client, job = done

    def ids(**params: str) -> list[str]:
        return [one["id"] for one in client.get("/api/v1/jobs", params=params).json()["jobs"]]

    assert ids(kind="transcribe", state="done", q=job["text"][:4]) == [job["id"]]
    assert ids(kind="speak") == []
    assert ids(state="failed") == []
    assert ids(**{"from": "2020-01-01", "to": "2100-01-01T00:00:00Z"}) == [job["id"]]
    assert ids(**{"from": "2100-01-01"}) == []
    assert ids(q="没有这样的话") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=100000000000000000000",
        "limit=NaN",
        "kind=sing",
        "state=odd",
        "from=yesterday",
        "to=99999999999999999999999",
    ],
)
def test_odd_numbers_and_values_are_422(client: httpx.Client, query: str) -> None:
    assert code(client.get(f"/api/v1/jobs?{query}")) == (422, "INVALID_FIELD")


@pytest.mark.parametrize(
    "query", ['"', "*", "NEAR(", "%", "_", "a" * 10_000, "😀", "一", "'; drop table jobs; --", "\x00"]
)
def test_a_search_never_fails(client: httpx.Client, query: str) -> None:
    assert client.get("/api/v1/jobs", params={"q": query}).status_code == 200


def test_an_unknown_before_is_not_found(client: httpx.Client) -> None:
    assert code(client.get("/api/v1/jobs", params={"before": "0" * 32})) == (404, "NOT_FOUND")


def test_a_running_job_is_cancelled_and_can_be_retried(client: httpx.Client) -> None:
    params = json.dumps({"hotwords": ["seconds=0.3"]})
    uid = submit(client, ("long.wav", wav(60)), params=params).json()["jobs"][0]["id"]
    cancelled = client.post(f"/api/v1/jobs/{uid}/cancel").json()
    assert cancelled["state"] in ("cancelling", "cancelled")
    assert finish(client, uid)["state"] == "cancelled"
    assert client.post(f"/api/v1/jobs/{uid}/retry").json()["state"] in ("queued", "running")
    client.post(f"/api/v1/jobs/{uid}/cancel")
    finish(client, uid)


def test_a_recording_that_needed_a_model_is_retried_with_the_one_installed_since(client: httpx.Client) -> None:
    asked = json.dumps({"model": "basic", "language": "zh"})
    uid = submit(client, ("call.wav", wav(2)), params=asked).json()["jobs"][0]["id"]
    assert finish(client, uid)["error"]["code"] == "MODEL_NEEDED"
    client.post(f"/api/v1/jobs/{uid}/retry")
    job = finish(client, uid)
    assert (job["state"], job["model"]) == ("done", "fake") and job["text"]


def test_a_finished_job_cannot_be_retried(done: Done) -> None:
    client, job = done
    response = client.post(f"/api/v1/jobs/{job['id']}/retry", headers={"accept-language": "en"})
    assert code(response) == (409, "BAD_STATE")


def test_a_deleted_job_and_its_files_are_gone(server: Server, client: httpx.Client) -> None:
    job = finish(client, submit(client, ("a.wav", wav(1))).json()["jobs"][0]["id"])
    folder = server.services.settings.uploads / job["id"]
    assert folder.is_dir()
    assert client.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    assert not folder.exists()
    assert code(client.get(f"/api/v1/jobs/{job['id']}")) == (404, "NOT_FOUND")
    assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_changes_begin_with_a_number_and_wait_for_the_next(server: Server, client: httpx.Client) -> None:
    since = client.get("/api/v1/changes").json()
    assert since["jobs"] == []
    assert client.get("/api/v1/changes", params={"since": since["since"], "wait": 0}).json() == since | {"deleted": []}
    answers: list[dict[str, Any]] = []

    def wait() -> None:
        with httpx.Client(base_url=server.url, timeout=60, cookies=client.cookies) as waiting:
            answers.append(waiting.get("/api/v1/changes", params={"since": since["since"]}).json())

    thread = threading.Thread(target=wait)
    thread.start()
    with server.browser() as other:
        submit(other, ("other.wav", wav(0.5)))
    uid = submit(client, ("mine.wav", wav(0.5))).json()["jobs"][0]["id"]
    thread.join(30)
    assert [job["id"] for job in answers[0]["jobs"]] == [uid]
    assert answers[0]["since"] > since["since"]


def test_changes_tell_what_was_deleted(client: httpx.Client) -> None:
    uid = finish(client, submit(client, ("a.wav", wav(0.5))).json()["jobs"][0]["id"])["id"]
    since = client.get("/api/v1/changes").json()["since"]
    client.delete(f"/api/v1/jobs/{uid}")
    answer = client.get("/api/v1/changes", params={"since": since}).json()
    assert (answer["jobs"], answer["deleted"]) == ([], [uid])


def test_the_recording_plays_with_ranges(done: Done) -> None:
    client, job = done
    whole = client.get(f"/api/v1/jobs/{job['id']}/audio")
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith("inline")
    part = client.get(f"/api/v1/jobs/{job['id']}/audio", headers={"range": "bytes=44-143"})
    assert (part.status_code, part.content) == (206, whole.content[44:144])
    assert part.headers["content-range"] == f"bytes 44-143/{len(whole.content)}"
    beyond = client.get(f"/api/v1/jobs/{job['id']}/audio", headers={"range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert code(beyond) == (416, "BAD_REQUEST")
    kept = client.get(f"/api/v1/jobs/{job['id']}/audio", params={"download": 1})
    assert kept.headers["content-disposition"].startswith("attachment")


def test_a_batch_comes_as_one_table(client: httpx.Client) -> None:
    answer = submit(client, ("=甲.wav", wav(1)), ("乙.wav", wav(1, 3))).json()
    for job in answer["jobs"]:
        finish(client, job["id"])
    address = f"/api/v1/batches/{answer['batch']}/result"
    response = client.get(f"{address}.csv", headers={"accept-language": "zh"})
    assert "%3D%E7%94%B2%20%2B1.csv" in response.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
    assert head == ["文件", "开始", "结束", "说话人", "文字"]
    assert [row[0] for row in rows] == ["'=甲.wav", "乙.wav"]
    assert all(row[4].startswith("听到") for row in rows)
    told = client.get(f"{address}.json").json()
    assert [row["file_name"] for row in told] == ["=甲.wav", "乙.wav"]
    assert told[0].keys() == {"file_name", "start", "end", "speaker", "text"}
    assert code(client.get(f"/api/v1/batches/{'0' * 32}/result.csv")) == (404, "NOT_FOUND")


def test_a_result_is_called_as_the_recording_or_as_the_text_begins(client: httpx.Client) -> None:
    heard = finish(client, submit(client, ("来电.v2.wav", wav(1))).json()["jobs"][0]["id"])
    for ending in ("txt", "docx"):
        told = client.get(f"/api/v1/jobs/{heard['id']}/result.{ending}").headers["content-disposition"]
        assert told.endswith(f"%E6%9D%A5%E7%94%B5.v2.{ending}")


def test_a_batch_comes_as_one_zip(client: httpx.Client) -> None:
    answer = submit(client, ("同名.wav", wav(1)), ("同名.wav", wav(1, 3))).json()
    for job in answer["jobs"]:
        finish(client, job["id"])
    response = client.get(f"/api/v1/batches/{answer['batch']}/result.zip", params={"format": "txt"})
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["同名 (2).txt", "同名.txt"]
        assert all(archive.read(name).decode().startswith("听到") for name in archive.namelist())
    assert code(client.get(f"/api/v1/batches/{answer['batch']}/result.zip?format=exe")) == (404, "NOT_FOUND")
    assert code(client.get(f"/api/v1/batches/{'0' * 32}/result.zip")) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("form", "kind", "start"),
    [
        ("txt", "text/plain", "听到".encode()),
        ("srt", "application/x-subrip", b"1\n00:00:"),
        ("vtt", "text/vtt", b"WEBVTT"),
        ("json", "application/json", b"{"),
        ("csv", "text/csv", "\ufeff开始".encode()),
        ("docx", "application/vnd.openxmlformats", b"PK"),
    ],
)
def test_the_text_comes_in_six_forms(done: Done, form: str, kind: str, start: bytes) -> None:
    client, job = done
    response = client.get(f"/api/v1/jobs/{job['id']}/result.{form}")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(kind)
    assert response.headers["content-disposition"].endswith(f"%E4%BC%9A%E8%AE%AE.{form}")
    assert response.content.startswith(start)


def test_the_json_result_is_the_job_with_its_segments(done: Done) -> None:
    client, job = done
    result = client.get(f"/api/v1/jobs/{job['id']}/result.json").json()
    segments = client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
    assert result == {**job, "segments": segments}


def test_another_form_does_not_exist(done: Done) -> None:
    assert code(done[0].get(f"/api/v1/jobs/{done[1]['id']}/result.exe")) == (404, "NOT_FOUND")


def test_a_result_before_the_end_is_not_ready(client: httpx.Client) -> None:
    params = json.dumps({"hotwords": ["seconds=1"]})
    uid = submit(client, ("a.wav", wav(20)), params=params).json()["jobs"][0]["id"]
    assert code(client.get(f"/api/v1/jobs/{uid}/result.txt")) == (409, "NOT_READY")
    client.delete(f"/api/v1/jobs/{uid}")


def test_two_channels_can_be_split(client: httpx.Client) -> None:
    left = np.frombuffer(wav(2)[44:], np.int16) / 32768
    both = np.stack([left, np.roll(left, 8000)], axis=1).astype(np.float32)
    params = json.dumps({"channels": "split"})
    job = finish(client, submit(client, ("call.wav", wav_of(both)), params=params).json()["jobs"][0]["id"])
    segments = client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
    assert {segment["channel"] for segment in segments} == {0, 1}


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, workers=False, max_queued_jobs=1) as server, server.api() as client:
        assert submit(client, ("a.wav", wav(0.5))).status_code == 202
        refused = submit(client, ("b.wav", wav(0.5)))
        assert code(refused) == (429, "QUEUE_FULL") and int(refused.headers["retry-after"]) > 0
        assert len(list(server.services.settings.uploads.iterdir())) == 1


def test_a_full_disk_refuses_before_the_body(tmp_path: Path) -> None:
    with serving(tmp_path, workers=False, disk_reserve_bytes=2**60) as server, server.api() as client:
        response = submit(client, ("a.wav", wav(0.5)))
        assert code(response) == (507, "DISK_FULL")
        assert response.json()["error"]["type"] == "server_error"


def test_waiting_jobs_know_their_place(tmp_path: Path) -> None:
    with serving(tmp_path, workers=False) as server, server.api() as client:
        uids = [submit(client, (f"{n}.wav", wav(0.5))).json()["jobs"][0]["id"] for n in range(3)]
        places = [client.get(f"/api/v1/jobs/{uid}").json()["queue_position"] for uid in uids]
        assert places == [1, 2, 3]


def test_an_upload_cut_off_leaves_no_job_and_no_file(server: Server) -> None:
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="cut.wav"\r\n\r\n' + bytes(5000)
        )
        time.sleep(0.2)
    incoming = server.services.settings.cache / "incoming"
    deadline = time.monotonic() + 10
    while list(incoming.glob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(incoming.glob("*")) == []
