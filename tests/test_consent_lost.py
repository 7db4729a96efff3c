"""A voice whose consent ends falls silent: at the next sentence, before the sentences are joined, and at a download."""

from __future__ import annotations

import io
import json
import time
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_kit import Server, code, finish, prompt, submit, wav
from webui.store.audit import AuditLog

SENTENCES = 40
TEXT = "".join(f"第{number}句话。" for number in range(SENTENCES))


def enrol(client: httpx.Client, **consent: str) -> str:
    given = json.dumps({"basis": "self", "subject": "张三", **consent})
    fields = {"name": "小张", "transcript": "今天天气很好", "consent": given}
    answer = client.post("/api/v1/voices", data=fields, files={"file": ("a.wav", prompt())})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def begin(client: httpx.Client, text: str = TEXT, seconds: str = "0.1", **params: Any) -> str:
    asked = json.dumps({"text": text, "voice": "小张", "instruct": seconds, **params})
    answer = submit(client, kind="speak", params=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["jobs"][0]["id"])


def spoken(client: httpx.Client, uid: str) -> int:
    return sum(row["state"] == "done" for row in client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"])


def until_spoken(client: httpx.Client, uid: str, count: int) -> None:
    deadline = time.monotonic() + 30
    while spoken(client, uid) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def soon(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


def archived(client: httpx.Client, batch: str) -> list[str]:
    answer = client.get(f"/api/v1/batches/{batch}/result.zip").raise_for_status()
    return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()


def left_behind(server: Server, uid: str) -> list[Path]:
    return [path for path in (server.services.settings.outputs / uid).rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", ["revoke", "delete"])
def test_a_withdrawn_voice_stops_at_the_next_sentence(server: Server, client: httpx.Client, way: str) -> None:
    voice = enrol(client)
    uid = begin(client)
    until_spoken(client, uid, 3)
    if way == "revoke":
        client.post(f"/api/v1/voices/{voice}/revoke").raise_for_status()
    else:
        client.delete(f"/api/v1/voices/{voice}").raise_for_status()
    job = finish(client, uid)
    lost = {"revoke": "CONSENT_EXPIRED", "delete": "VOICE_NOT_FOUND"}[way]
    assert (job["state"], job["error"]["code"]) == ("failed", lost)
    assert spoken(client, uid) == 0 and left_behind(server, uid) == []
    assert client.get(f"/api/v1/jobs/{uid}/audio").status_code in (409, 422)
    (noted,) = [row for row in AuditLog(server.services.database).page(object_uid=uid) if "consent" in row.action]
    assert 3 <= noted.detail["segments"] < SENTENCES


def test_a_consent_that_expires_stops_it_and_a_new_one_lets_it_begin_anew(server: Server, client: httpx.Client) -> None:
    voice = enrol(client, expires_at=soon(2))
    uid = begin(client)
    job = finish(client, uid)
    assert (job["state"], job["error"]["code"]) == ("failed", "CONSENT_EXPIRED")
    assert left_behind(server, uid) == []
    given = {"consent": {"basis": "self", "subject": "张三"}}
    client.patch(f"/api/v1/voices/{voice}", json=given).raise_for_status()
    client.post(f"/api/v1/jobs/{uid}/retry").raise_for_status()
    assert finish(client, uid)["state"] == "done"
    assert spoken(client, uid) == SENTENCES
    assert client.get(f"/api/v1/jobs/{uid}/audio").status_code == 200


def test_sentences_that_are_all_spoken_are_not_joined(server: Server, client: httpx.Client) -> None:
    voice = enrol(client)
    uid = begin(client, text="只有这一句。", seconds="1.5")
    deadline = time.monotonic() + 30
    while client.get(f"/api/v1/jobs/{uid}").json()["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    client.post(f"/api/v1/voices/{voice}/revoke").raise_for_status()
    job = finish(client, uid)
    assert (job["state"], job["error"]["code"]) == ("failed", "CONSENT_EXPIRED")
    assert left_behind(server, uid) == []


def test_a_converted_recording_stops_too(server: Server, client: httpx.Client) -> None:
    voice = enrol(client)
    answer = submit(client, ("a.wav", wav(4)), kind="convert", params='{"voice": "小张"}')
    uid = answer.json()["jobs"][0]["id"]
    assert finish(client, uid)["state"] == "done"
    assert client.get(f"/api/v1/jobs/{uid}/audio").status_code == 200
    client.post(f"/api/v1/voices/{voice}/revoke").raise_for_status()
    assert code(client.get(f"/api/v1/jobs/{uid}/audio")) == (422, "CONSENT_EXPIRED")
    assert code(client.get(f"/api/v1/jobs/{uid}/audio", headers={"range": "bytes=0-9"})) == (422, "CONSENT_EXPIRED")


def test_what_a_withdrawn_voice_said_is_in_no_archive(client: httpx.Client) -> None:
    voice = enrol(client)
    batch = "b" * 32
    asked = json.dumps({"text": "你好。", "voice": "小张", "instruct": "0.01"})
    uid = submit(client, kind="speak", params=asked, batch=batch).json()["jobs"][0]["id"]
    finish(client, uid)
    assert len(archived(client, batch)) == 1
    client.post(f"/api/v1/voices/{voice}/revoke").raise_for_status()
    assert archived(client, batch) == []


def test_a_stream_ends_with_what_was_spoken(client: httpx.Client) -> None:
    voice, heard = enrol(client), 0
    asked = {"input": TEXT, "voice": "小张", "instructions": "0.1", "stream": True, "response_format": "wav"}
    with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
        uid = answer.headers["x-job-id"]
        for number, piece in enumerate(answer.iter_bytes()):
            heard += len(piece)
            if number == 3:
                client.post(f"/api/v1/voices/{voice}/revoke").raise_for_status()
    assert finish(client, uid)["error"]["code"] == "CONSENT_EXPIRED"
    assert 0 < heard < 24_000 * 2 * SENTENCES * 0.3  # a sentence is longer than that


def test_a_deleted_voice_leaves_the_results_that_were_allowed(client: httpx.Client) -> None:
    voice = enrol(client)
    uid = begin(client, text="你好。", seconds="0.01")
    assert finish(client, uid)["state"] == "done"
    client.delete(f"/api/v1/voices/{voice}").raise_for_status()
    assert client.get(f"/api/v1/jobs/{uid}/audio").status_code == 200
