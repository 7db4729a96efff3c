"""The edges of the contract over HTTP: what is empty or null, periods, repeated keys, other methods, the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from tests.api_kit import Server, code, finish, submit, wav
from tests.test_contract_http import enrol, spoken, transcribed

Client = httpx.Client
KEY = {"idempotency-key": "again"}


@pytest.fixture
def api(server: Server) -> Iterator[Client]:
    """A caller without a cookie."""
    with server.api() as client:
        yield client


def ids(client: Client, **query: Any) -> list[str]:
    answer = client.get("/api/v1/jobs", params=query)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


class TestEmptyValues:
    @pytest.mark.parametrize(
        "path",
        [
            "jobs?q=&kind=&state=&batch=&from=&to=&before=&limit=",
            "history.csv?q=&kind=&state=&batch=&from=&to=",
            "history.json?q=&kind=&state=&batch=&from=&to=",
            "jobs/{id}/segments?after=",
            "jobs/{id}/audio?download=",
            "changes?since=&wait=",
        ],
    )
    def test_a_query_value_that_is_empty_is_as_if_left_out(self, client: Client, path: str) -> None:
        uid = transcribed(client, sound=wav(0.5))["id"]
        full, bare = (client.get("/api/v1/" + form.format(id=uid)) for form in (path, path.partition("?")[0]))
        assert (full.status_code, full.content) == (200, bare.content)

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_a_parameter_that_is_null_or_empty_is_the_default(self, client: Client, nothing: str | None) -> None:
        common = dict.fromkeys(("model", "device", "language"), nothing)
        heard = transcribed(client, sound=wav(0.5), **common, hotwords=nothing, itn=nothing, channels=nothing)
        said = spoken(client, **common, voice=nothing, instruct=nothing, seed=nothing, speed=nothing, format=nothing)
        assert heard["params"] == transcribed(client, sound=wav(0.5))["params"]
        assert said["params"] == spoken(client)["params"]

    def test_what_must_be_there_may_be_neither(self, client: Client) -> None:
        for given in ({"voice": ""}, {"voice": None}, {}):
            answer = submit(client, ("a.wav", wav(0.5)), kind="convert", params=json.dumps(given))
            assert code(answer) == (422, "INVALID_FIELD") and answer.json()["error"]["param"] == "voice"

    def test_a_switch_is_on_or_off(self, api: Client) -> None:
        for field in ("itn", "diarize"):
            answer = api.post("/v1/audio/transcriptions", data={field: "perhaps"}, files={"file": ("a.wav", wav(0.5))})
            assert code(answer) == (422, "INVALID_FIELD") and answer.json()["error"]["param"] == field

    @pytest.mark.parametrize(
        ("fields", "warned"), [({}, False), ({"hotwords": "\n", "prompt": " "}, False), ({"prompt": "声坊"}, True)]
    )
    def test_hotwords_that_are_none_need_no_model_that_takes_them(
        self, api: Client, fields: dict[str, str], warned: bool
    ) -> None:
        data = {"model": "basic", **fields}
        answer = api.post("/v1/audio/transcriptions", data=data, files={"file": ("a.wav", wav(0.5))})
        codes = [warning["code"] for warning in answer.json().get("warnings", [])]
        assert ("HOTWORDS_UNSUPPORTED" in codes) == warned

    def test_openais_fields_may_be_null(self, api: Client) -> None:
        optional = ("model", "voice", "instructions", "response_format", "speed", "seed", "steps", "stream")
        answer = api.post("/v1/audio/speech", json={"input": "你好。", **dict.fromkeys(optional)})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")

    def test_without_files_the_form_may_be_urlencoded(self, client: Client) -> None:
        fields = {"kind": "speak", "params": json.dumps({"text": "你好，世界。"})}
        answer = client.post("/api/v1/jobs", data=fields)
        assert answer.headers["content-type"] == "application/json" and answer.status_code == 202
        assert finish(client, answer.json()["jobs"][0]["id"])["params"]["text"] == "你好，世界。"
        many = {str(number): "x" for number in range(300)}
        assert code(client.post("/api/v1/jobs", data=many)) == (400, "BAD_REQUEST")


class TestPeriods:
    @pytest.mark.parametrize(
        ("first", "last", "found"),
        [
            ("day", "day", True),
            (None, "day", True),
            ("day", None, True),
            (None, "eve", False),
            ("morrow", None, False),
            ("moment", None, True),
            (None, "moment", False),
            ("moment+08:00", "morrow", True),
            ("eve", "moment+08:00", False),
            (None, "9999-12-31", True),
        ],
    )
    def test_from_is_inclusive_and_to_exclusive_but_a_bare_day_is_whole(
        self, client: Client, first: str | None, last: str | None, found: bool
    ) -> None:
        uid = submit(client, ("a.wav", wav(0.5))).json()["jobs"][0]["id"]
        at = datetime.fromisoformat(client.get(f"/api/v1/jobs/{uid}").json()["created_at"].replace("Z", "+00:00"))
        moments = {
            "eve": str((at - timedelta(days=1)).date()),
            "day": str(at.date()),
            "morrow": str((at + timedelta(days=1)).date()),
            "moment": at.isoformat(timespec="milliseconds"),
            "moment+08:00": at.astimezone(timezone(timedelta(hours=8))).isoformat(timespec="milliseconds"),
        }
        period = {"from": first and moments[first], "to": last and moments.get(last, last)}
        assert (uid in ids(client, **{key: value for key, value in period.items() if value})) == found

    def test_a_zone_whose_plus_was_not_escaped_is_understood(self, client: Client) -> None:
        uid = submit(client, ("a.wav", wav(0.5))).json()["jobs"][0]["id"]
        for hours, found in ((-1, [uid]), (1, [])):
            at = datetime.now(timezone(timedelta(hours=8))) + timedelta(hours=hours)
            listed = client.get(f"/api/v1/jobs?from={at:%Y-%m-%dT%H:%M:%S}+08:00").json()["jobs"]
            assert [job["id"] for job in listed] == found

    @pytest.mark.parametrize("end", ["2026-02-30", "2026-13-01", "soon", "0000-00-00"])
    def test_a_day_that_is_none_is_refused(self, api: Client, end: str) -> None:
        assert code(api.get("/api/v1/jobs", params={"to": end})) == (422, "INVALID_FIELD")


class TestPaging:
    def test_reading_goes_on_from_a_job_that_was_deleted_meanwhile(self, client: Client) -> None:
        last, middle, first = (submit(client, (f"{n}.wav", wav(0.5))).json()["jobs"][0]["id"] for n in range(3))
        assert client.delete(f"/api/v1/jobs/{middle}").status_code == 204
        assert ids(client) == [first, last]
        assert ids(client, before=middle) == [last]

    def test_another_owners_job_is_no_place_to_go_on_from(self, api: Client, client: Client) -> None:
        foreign = submit(api, ("a.wav", wav(0.5))).json()["jobs"][0]["id"]
        assert code(client.get("/api/v1/jobs", params={"before": foreign})) == (404, "NOT_FOUND")

    @pytest.mark.parametrize(
        "name", ["100%.wav", "a_b.wav", "a=b=.wav", "x&y.wav", "会议😀.wav", "it's.wav", 'say "hi".wav', "x\\y.wav"]
    )
    def test_a_search_takes_every_sign_as_itself(self, client: Client, name: str) -> None:
        shown = submit(client, (name, wav(0.5))).json()["jobs"][0]
        submit(client, ("other.wav", wav(0.5)))
        assert ids(client, q=shown["file_name"]) == [shown["id"]]


class TestIdempotencyKeys:
    @pytest.mark.parametrize(
        "changed",
        [
            {"files": [("a.wav", wav(0.5, 7))]},
            {"files": [("a.wav", wav(0.5)), ("b.wav", wav(0.5, 7))]},
            {"params": {"itn": False}},
            {"params": {"text": "你好"}, "kind": "speak", "files": []},
        ],
        ids=["another recording", "one more", "another parameter", "another kind"],
    )
    def test_one_that_was_used_for_another_request_is_refused(self, client: Client, changed: dict[str, Any]) -> None:
        first = self.send(client)
        again = self.send(client, **changed)
        assert code(again) == (422, "IDEMPOTENCY_KEY_REUSED") and "again" in again.json()["error"]["message"]
        assert (
            ids(client)
            == [job["id"] for job in first.json()["jobs"]]
            == [job["id"] for job in self.send(client).json()["jobs"]]
        )

    def test_a_batch_is_repeated_as_a_whole_even_when_part_of_it_was_deleted(self, client: Client) -> None:
        both = [("a.wav", wav(0.5)), ("b.wav", wav(0.5, 7))]
        first = self.send(client, files=both).json()
        client.delete(f"/api/v1/jobs/{first['jobs'][1]['id']}")
        again = self.send(client, files=both)
        assert again.status_code == 202 and again.json()["batch"] == first["batch"]

    def test_a_key_is_free_again_when_its_job_is_deleted(self, client: Client) -> None:
        first = self.send(client).json()["jobs"][0]["id"]
        client.delete(f"/api/v1/jobs/{first}")
        assert self.send(client, params={"itn": False}).json()["jobs"][0]["id"] != first

    def send(
        self,
        client: Client,
        files: list[tuple[str, bytes]] | None = None,
        params: dict[str, Any] | None = None,
        kind: str = "transcribe",
    ) -> httpx.Response:
        sent = [("a.wav", wav(0.5))] if files is None else files
        parts: list[Any] = [("file", file) for file in sent]
        parts += [(name, (None, value)) for name, value in (("kind", kind), ("params", json.dumps(params or {})))]
        return client.post("/api/v1/jobs", files=parts, headers=KEY)


class TestVoices:
    def test_nothing_is_converted_to_the_builtin_voice(self, client: Client) -> None:
        for voice in ("builtin", "alloy"):
            params = json.dumps({"voice": voice})
            answer = submit(client, ("a.wav", wav(0.5)), kind="convert", params=params)
            assert code(answer) == (422, "INVALID_FIELD") and answer.json()["error"]["param"] == "voice"
        assert code(submit(client, ("a.wav", wav(0.5)), kind="convert", params='{"voice": "谁"}'))[0] == 404
        assert ids(client) == []

    def test_a_consent_ends_with_the_moment_it_names(self, client: Client) -> None:
        consent = json.dumps({"basis": "written", "subject": "张三", "expires_at": "2020-01-01"})
        assert enrol(client, "小张", consent=consent).json()["usable"] is False
        answer = submit(client, kind="speak", params='{"text": "你好", "voice": "小张"}')
        assert code(answer) == (422, "CONSENT_EXPIRED")


class TestAddresses:
    @pytest.mark.parametrize(
        ("path", "allowed"),
        [
            ("/api/v1/jobs", {"GET", "POST"}),
            ("/api/v1/jobs/none", {"GET", "DELETE"}),
            ("/api/v1/jobs/none/cancel", {"POST"}),
            ("/v1/audio/speech", {"POST"}),
            ("/v1/models", {"GET"}),
            ("/healthz", {"GET"}),
        ],
    )
    def test_405_names_the_methods_there_are(self, api: Client, path: str, allowed: set[str]) -> None:
        answer = api.put(path)
        assert code(answer) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["allow"].split(", ")) >= allowed
        assert "PUT" not in answer.headers["allow"]

    def test_one_model_is_as_in_the_list(self, api: Client) -> None:
        for listed in api.get("/v1/models").json()["data"]:
            assert api.get(f"/v1/models/{listed['id']}").json() == listed
        assert code(api.get("/v1/models/whisper-99")) == (404, "MODEL_NOT_FOUND")


class TestSchema:
    @pytest.fixture
    def schema(self, api: Client) -> dict[str, Any]:
        found: dict[str, Any] = api.get("/openapi.json").json()
        return found

    def test_every_operation_says_what_an_error_looks_like(self, schema: dict[str, Any]) -> None:
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                content = operation["responses"]["default"]["content"]["application/json"]
                assert content["schema"]["$ref"].endswith("/ErrorAnswer"), path
                assert "422" not in operation["responses"]
        fields = schema["components"]["schemas"]["Error"]["properties"]
        assert fields.keys() == {"code", "message", "hint", "type", "param"}

    def test_what_it_refers_to_is_there_and_no_operation_has_anothers_name(self, schema: dict[str, Any]) -> None:
        referred = {name.rsplit("/", 1)[1] for name in _values(schema, "$ref")}
        assert referred <= schema["components"]["schemas"].keys()
        names = list(_values(schema["paths"], "operationId"))
        assert len(names) == len(set(names)) > 20


def _values(tree: Any, key: str) -> Iterator[str]:
    """Every value of `key` within."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key and isinstance(value, str):
                yield value
            yield from _values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, key)
