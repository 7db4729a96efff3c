"""Voices over HTTP: consent first, then a name to speak with, until it is withdrawn."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.api_kit import Server, code, finish, prompt, serving, submit, wav, wav_of

CONSENT = json.dumps({"basis": "self", "subject": "张三"})
TEXT = "您好，这里是客服中心。"


def enrol(client: httpx.Client, name: str = "小张", **fields: str) -> httpx.Response:
    data = {"name": name, "transcript": "今天天气很好", "consent": CONSENT, **fields}
    return client.post("/api/v1/voices", data=data, files={"file": ("p.wav", prompt())})


def speak(client: httpx.Client, **params: object) -> httpx.Response:
    return submit(client, kind="speak", params=json.dumps({"text": TEXT, **params}))


def test_a_voice_with_consent_is_kept_and_speaks(client: httpx.Client) -> None:
    response = enrol(client)
    assert response.status_code == 201
    voice = response.json()
    assert (voice["name"], voice["usable"], voice["mine"], voice["shared"]) == ("小张", True, True, False)
    assert (voice["consent"]["basis"], voice["consent"]["subject"]) == ("self", "张三")
    assert voice["seconds"] == pytest.approx(6, abs=0.5)
    for name in ("小张", voice["id"]):
        job = finish(client, speak(client, voice=name).json()["jobs"][0]["id"])
        assert (job["state"], job["voice"], job["params"]["voice"]) == ("done", "小张", "小张")
    assert [one["id"] for one in client.get("/api/v1/voices").json()["voices"]] == [voice["id"]]


@pytest.mark.parametrize("consent", ["", "{}", '{"basis": "self"}', '{"basis": "hearsay", "subject": "x"}', "yes"])
def test_without_a_whole_consent_nothing_is_kept(server: Server, client: httpx.Client, consent: str) -> None:
    before = list(server.services.settings.voices.glob("*"))
    response = enrol(client, consent=consent)
    assert response.status_code == 422
    assert response.json()["error"]["code"] in ("CONSENT_REQUIRED", "INVALID_FIELD")
    if not consent:
        hint = response.json()["error"]["hint"]
        assert json.loads(hint[hint.index("{") : hint.rindex("}") + 1]).keys() == {"basis", "subject"}
    assert list(server.services.settings.voices.glob("*")) == before
    assert client.get("/api/v1/voices").json()["voices"] == []


def test_names_are_ones_own_and_some_are_taken(client: httpx.Client) -> None:
    enrol(client)
    assert code(enrol(client)) == (409, "VOICE_EXISTS")
    for reserved in ("builtin", "Alloy", "cedar"):
        assert code(enrol(client, reserved)) == (422, "VOICE_NAME_RESERVED")
    assert code(enrol(client, "\u202e \u200b")) == (422, "INVALID_FIELD")
    assert code(enrol(client, "n" * 101)) == (422, "INVALID_FIELD")


def test_another_owner_neither_sees_nor_uses_nor_hears_it(server: Server, client: httpx.Client) -> None:
    voice = enrol(client).json()
    with server.browser() as other:
        assert other.get("/api/v1/voices").json()["voices"] == []
        assert code(speak(other, voice=voice["id"])) == (404, "VOICE_NOT_FOUND")
        for method, path in (
            ("GET", ""),
            ("GET", "/audio"),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/revoke"),
        ):
            answer = other.request(method, f"/api/v1/voices/{voice['id']}{path}", json={"name": "x"})
            assert code(answer) == (404, "VOICE_NOT_FOUND"), path
        assert enrol(other).status_code == 201


def test_a_shared_voice_is_heard_and_used_by_others_but_not_changed(server: Server, client: httpx.Client) -> None:
    voice = enrol(client, "共享").json()
    shared = client.patch(f"/api/v1/voices/{voice['id']}", json={"shared": True}).json()
    assert shared["shared"] is True
    with server.browser() as other:
        seen = other.get("/api/v1/voices").json()["voices"][0]
        assert (seen["id"], seen["mine"]) == (voice["id"], False)
        assert finish(other, speak(other, voice="共享").json()["jobs"][0]["id"])["state"] == "done"
        assert other.get(f"/api/v1/voices/{voice['id']}/audio").status_code == 200
        assert code(other.post(f"/api/v1/voices/{voice['id']}/revoke")) == (404, "VOICE_NOT_FOUND")
        assert code(other.delete(f"/api/v1/voices/{voice['id']}")) == (404, "VOICE_NOT_FOUND")
    client.delete(f"/api/v1/voices/{voice['id']}")


def test_the_prompt_can_be_heard_by_its_owner(client: httpx.Client) -> None:
    voice = enrol(client).json()
    response = client.get(f"/api/v1/voices/{voice['id']}/audio")
    assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
    assert response.content[:4] == b"RIFF"


def test_a_withdrawn_consent_removes_the_recording_and_ends_the_use(server: Server, client: httpx.Client) -> None:
    voice = enrol(client).json()
    path = server.services.settings.voices / f"{voice['id']}.wav"
    assert path.is_file()
    revoked = client.post(f"/api/v1/voices/{voice['id']}/revoke").json()
    assert revoked["usable"] is False
    assert revoked["consent"]["revoked_at"]
    assert not path.exists()
    assert code(speak(client, voice="小张")) == (422, "CONSENT_EXPIRED")
    renewed = {"consent": json.loads(CONSENT)}
    assert code(client.patch(f"/api/v1/voices/{voice['id']}", json=renewed)) == (410, "MISSING_INPUT")


def test_an_expired_consent_can_be_renewed(client: httpx.Client) -> None:
    expired = json.dumps({"basis": "written", "subject": "李四", "expires_at": "2020-01-01T00:00:00Z"})
    voice = enrol(client, consent=expired).json()
    assert voice["usable"] is False
    assert code(speak(client, voice="小张")) == (422, "CONSENT_EXPIRED")
    renewed = client.patch(f"/api/v1/voices/{voice['id']}", json={"consent": json.loads(CONSENT)}).json()
    assert renewed["usable"] is True


def test_a_deleted_voice_is_gone(server: Server, client: httpx.Client) -> None:
    voice = enrol(client).json()
    assert client.delete(f"/api/v1/voices/{voice['id']}").status_code == 204
    assert not (server.services.settings.voices / f"{voice['id']}.wav").exists()
    assert code(client.get(f"/api/v1/voices/{voice['id']}")) == (404, "VOICE_NOT_FOUND")


def test_renaming_obeys_the_same_rules(client: httpx.Client) -> None:
    voice = enrol(client).json()
    enrol(client, "小李")
    path = f"/api/v1/voices/{voice['id']}"
    assert client.patch(path, json={"name": "  小  王 "}).json()["name"] == "小 王"
    assert code(client.patch(path, json={"name": "小李"})) == (409, "VOICE_EXISTS")
    assert code(client.patch(path, json={"name": "nova"})) == (422, "VOICE_NAME_RESERVED")
    assert code(client.patch(path, json={"nickname": "x"})) == (422, "INVALID_FIELD")


def test_a_prompt_that_is_no_voice_is_refused(client: httpx.Client) -> None:
    silence = wav_of(np.zeros(16_000 * 5, np.float32))
    for content, expected in ((wav(0.5), "PROMPT_TOO_SHORT"), (silence, "PROMPT_"), (b"text, no sound", "NOT_AUDIO")):
        data = {"name": "x", "consent": CONSENT}
        response = client.post("/api/v1/voices", data=data, files={"file": ("p.wav", content)})
        assert response.status_code == 422
        assert response.json()["error"]["code"].startswith(expected)
    assert code(client.post("/api/v1/voices", data={"name": "x", "consent": CONSENT})) == (422, "FILE_REQUIRED")
    assert client.get("/api/v1/voices").json()["voices"] == []


def test_a_prompt_may_come_with_the_job_and_goes_with_it(server: Server, client: httpx.Client) -> None:
    params = json.dumps({"text": TEXT, "transcript": "今天天气很好"})
    refused = submit(client, ("p.wav", prompt()), kind="speak", params=params)
    assert code(refused) == (422, "CONSENT_REQUIRED")
    answer = submit(client, ("p.wav", prompt()), kind="speak", params=params, consent=CONSENT)
    job = finish(client, answer.json()["jobs"][0]["id"])
    assert (job["state"], job["voice"]) == ("done", "p")
    assert client.get("/api/v1/voices").json()["voices"] == []
    prompts = set(server.services.settings.voices.glob("*.wav"))
    client.delete(f"/api/v1/jobs/{job['id']}")
    assert len(prompts - set(server.services.settings.voices.glob("*.wav"))) == 1


def test_a_recording_is_converted_to_a_voice(client: httpx.Client) -> None:
    enrol(client)
    answer = submit(client, ("a.wav", wav(2)), kind="convert", params='{"voice": "小张"}')
    job = finish(client, answer.json()["jobs"][0]["id"])
    assert (job["state"], job["kind"], job["voice"]) == ("done", "convert", "小张")
    assert client.get(f"/api/v1/jobs/{job['id']}/audio").content[:4] == b"RIFF"


def test_spoken_text_with_wrong_marks_is_refused_with_the_nearest(client: httpx.Client) -> None:
    response = speak(client, text="你[h][aao4]吗")
    assert code(response) == (422, "UNKNOWN_PRONUNCIATION")


def test_instructions_for_a_model_without_them_are_a_warning(client: httpx.Client) -> None:
    job = speak(client, model="basic", instruct="用四川话说").json()["jobs"][0]
    assert [warning["code"] for warning in job["warnings"]] == ["INSTRUCT_UNSUPPORTED"]


@pytest.mark.parametrize(("locale", "shown"), [("zh-CN", "（自动识别）"), ("en", "(detected automatically)")])
def test_a_transcript_without_a_model_names_no_bare_code(tmp_path: Path, locale: str, shown: str) -> None:
    with serving(tmp_path, workers=False) as server, server.api() as client:
        server.services.models.set_options({"default_recognizer": "basic"})
        headers = {"accept-language": locale}
        answer = client.post("/api/v1/voices/transcript", files={"file": ("a.wav", wav(1))}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "MODEL_NEEDED")
    assert shown in error["message"]
    assert "列出" not in error["hint"] and "listed" not in error["hint"]


def test_no_job_of_a_transcript_stays_behind_where_the_program_ends_first(tmp_path: Path) -> None:
    with serving(tmp_path, workers=False) as server, server.api() as client, ThreadPoolExecutor() as other:
        asked = other.submit(client.post, "/api/v1/voices/transcript", files={"file": ("a.wav", wav(1))})
        while not client.get("/api/v1/jobs").json()["jobs"]:
            time.sleep(0.05)
        server.services.begin_stop()
        assert code(asked.result(30)) == (503, "UNAVAILABLE")
        assert client.get("/api/v1/jobs").json()["jobs"] == []
        assert not any(file.is_file() for file in server.services.settings.uploads.rglob("*"))
