"""Saved hotword lists: cleaned, each owner's own; and hits in the text of a job."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.api_kit import Server, code, finish, submit, wav
from webui.service import hotwords as service
from webui.store.accounts import AccountStore

LISTS = "/api/v1/hotwords"


def names(client: httpx.Client) -> list[str]:
    return [kept["name"] for kept in client.get(LISTS).json()["lists"]]


def test_a_list_is_kept_replaced_and_deleted(client: httpx.Client) -> None:
    made = client.put(f"{LISTS}/医保 局", json={"words": ["张晓明，声坊", "声坊"]}).json()
    assert made == {"name": "医保 局", "words": ["张晓明", "声坊"], "warnings": []}
    client.put(f"{LISTS}/b", json={"words": ["x"]})
    client.put(f"{LISTS}/b", json={"words": ["y"]})
    assert names(client) == ["b", "医保 局"] and client.get(f"{LISTS}/b").json()["words"] == ["y"]
    assert client.delete(f"{LISTS}/b").status_code == 204
    assert code(client.delete(f"{LISTS}/b")) == code(client.get(f"{LISTS}/b")) == (404, "NOT_FOUND")


def test_lists_are_their_owners(server: Server, client: httpx.Client) -> None:
    client.put(f"{LISTS}/mine", json={"words": ["张晓明"]})
    with server.browser() as other:
        assert names(other) == [] and code(other.get(f"{LISTS}/mine")) == (404, "NOT_FOUND")
        other.put(f"{LISTS}/mine", json={"words": ["李四"]})
    assert client.get(f"{LISTS}/mine").json()["words"] == ["张晓明"]


def test_what_cannot_be_kept_is_said(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = client.put(f"{LISTS}/many", json={"words": [f"词{number}" for number in range(300)]}).json()
    assert len(trimmed["words"]) == 200 and trimmed["warnings"][0]["code"] == "HOTWORDS_TRIMMED"
    assert code(client.put(f"{LISTS}/%20", json={"words": ["x"]})) == (422, "INVALID_FIELD")
    assert code(client.put(f"{LISTS}/{'x' * 101}", json={"words": ["x"]})) == (422, "INVALID_FIELD")
    monkeypatch.setattr(service, "MOST_LISTS", 1)
    assert code(client.put(f"{LISTS}/second", json={"words": ["x"]})) == (422, "HOTWORD_LISTS_FULL")
    assert client.put(f"{LISTS}/many", json={"words": ["x"]}).status_code == 200


def test_adopted_lists_go_with_the_jobs_and_never_over_ones_own(server: Server) -> None:
    accounts = AccountStore(server.services.database)
    lists = server.services.hotwords
    old, new = (accounts.by_token(token).id for token in ("a" * 64, "b" * 64))
    for owner, name, word in ((old, "both", "旧"), (old, "old", "旧"), (new, "both", "新")):
        lists.keep(owner, name, [word])
    accounts.adopt(new, old)
    assert [(kept.name, kept.words) for kept in lists.all(new)] == [("both", ["新"]), ("old", ["旧"])]


def test_the_hits_are_in_the_segments_and_follow_an_edit(client: httpx.Client) -> None:
    params = json.dumps({"hotwords": ["听到", "声坊"]})
    job = finish(client, submit(client, ("a.wav", wav(1)), params=params).json()["jobs"][0]["id"])
    (segment, *_) = client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
    assert segment["text"].startswith("听到")
    assert segment["hits"] == [{"word": "听到", "start": 0, "end": 2, "heard": None}]
    edit = {"text": "这是声坊", "version": segment["version"]}
    changed = client.patch(f"/api/v1/jobs/{job['id']}/segments/{segment['n']}", json=edit).json()
    assert changed["hits"] == [{"word": "声坊", "start": 2, "end": 4, "heard": None}]
    assert client.get(f"/api/v1/jobs/{job['id']}/result.json").json()["segments"][0]["hits"] == changed["hits"]
