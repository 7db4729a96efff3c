"""An organisation's readings: checked when they are entered, put into every text before it is spoken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.api_kit import Server, code, finish, submit
from webui.errors import UserError
from webui.text.lexicon import MOST_WORDS, Lexicon, checked, has_marks

CITY = {"重庆": "[chong2][qing4]", "重庆路": "[zhong4][qing4][lu4]", "NPU": "恩屁优"}


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("我去重庆。", "我去[chong2][qing4]。"),
        ("重庆路很长", "[zhong4][qing4][lu4]很长"),
        ("NPU与INPUT", "恩屁优与INPUT"),
        ("8NPU与2个NPU", "8恩屁优与2个恩屁优"),
        ("NPU2与NPUs", "NPU2与NPUs"),
        ("[chóng][qìng]重庆", "[chóng][qìng][chong2][qing4]"),
        ("<strong>重庆</strong>", "<strong>[chong2][qing4]</strong>"),
        ("[见NPU]", "[见NPU]"),
        ("没有词", "没有词"),
    ],
)
def test_words_are_replaced_by_their_readings(text: str, spoken: str) -> None:
    assert Lexicon(CITY).apply(text) == spoken


def test_a_word_that_begins_with_a_digit_is_not_cut_out_of_a_number() -> None:
    assert Lexicon({"5G": "五代"}).apply("5G, 15G, A5G") == "五代, 15G, A5G"


def test_an_empty_lexicon_changes_nothing() -> None:
    assert Lexicon({}).apply("你好[hao4]") == "你好[hao4]"


def test_only_what_a_text_uses_is_kept_with_its_job() -> None:
    assert Lexicon(CITY).used_in("重庆路上的NPU，[重庆]") == {"重庆路": CITY["重庆路"], "NPU": CITY["NPU"]}


@pytest.mark.parametrize(
    ("reading", "kept"),
    [
        ("[chong2][qing4]", "[chong2][qing4]"),
        (" chong2 qing4 ", "[chong2][qing4]"),
        ("chóng qìng", "[chong2][qing4]"),
        ("nǚ", "[nv3]"),
        ("[M][AY0]", "[M][AY0]"),
        ("恩屁优", "恩屁优"),
        ("my reading", "my reading"),
    ],
)
def test_readings_are_pinyin_marks_or_other_words(reading: str, kept: str) -> None:
    assert checked({"词": reading}) == {"词": kept}


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ({"词": "[qeng4]"}, "UNKNOWN_PRONUNCIATION"),
        ({"词": "qeng4"}, "UNKNOWN_PRONUNCIATION"),
        ({"词": ""}, "LEXICON_WORD"),
        ({"词": "等[停顿 1s]一等"}, "LEXICON_WORD"),
        ({"词": "wait [pause] here"}, "LEXICON_WORD"),
        ({"词": "。"}, "LEXICON_WORD"),
        ({" ": "ci2"}, "LEXICON_WORD"),
        ({"[词]": "ci2"}, "LEXICON_WORD"),
        ({"词" * 51: "ci2"}, "LEXICON_WORD"),
        ({str(number): "ci2" for number in range(MOST_WORDS + 1)}, "LEXICON_TOO_LONG"),
    ],
)
def test_what_cannot_be_read_is_refused(entries: dict[str, str], refusal: str) -> None:
    with pytest.raises(UserError, match=refusal):
        checked(entries)


def test_marks_are_told_from_words() -> None:
    assert [has_marks(reading) for reading in ("[hao4]", "恩屁优", "[注]", "<strong>好</strong>")] == [
        True,
        False,
        False,
        True,
    ]


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.browser() as client:
        yield client
        client.put("/api/v1/lexicon", json={"entries": {}})


def speak(client: httpx.Client, text: str, model: str = "fake") -> dict:
    response = submit(client, kind="speak", params=json.dumps({"text": text, "model": model}))
    return finish(client, response.json()["jobs"][0]["id"])


def test_the_lexicon_is_kept_whole(client: httpx.Client) -> None:
    assert client.put("/api/v1/lexicon", json={"entries": {"重庆": "chong2 qing4"}}).status_code == 200
    assert client.get("/api/v1/lexicon").json() == {"entries": {"重庆": "[chong2][qing4]"}}
    client.put("/api/v1/lexicon", json={"entries": {"NPU": "恩屁优"}})
    assert client.get("/api/v1/lexicon").json() == {"entries": {"NPU": "恩屁优"}}


def test_a_wrong_reading_changes_nothing(client: httpx.Client) -> None:
    client.put("/api/v1/lexicon", json={"entries": {"NPU": "恩屁优"}})
    response = client.put("/api/v1/lexicon", json={"entries": {"重庆": "chonk2"}})
    assert code(response) == (422, "UNKNOWN_PRONUNCIATION")
    assert client.get("/api/v1/lexicon").json() == {"entries": {"NPU": "恩屁优"}}


def test_a_job_speaks_by_the_lexicon_of_its_submission(client: httpx.Client) -> None:
    client.put("/api/v1/lexicon", json={"entries": {"NPU": "恩屁优的长长的读音", "重庆": "chong2 qing4"}})
    plain, replaced = speak(client, "芯片"), speak(client, "NPU")
    assert replaced["params"]["lexicon"] == {"NPU": "恩屁优的长长的读音"}
    assert plain["params"]["lexicon"] == {}
    (segment,) = client.get(f"/api/v1/jobs/{replaced['id']}/segments").json()["segments"]
    assert segment["source"] == "NPU"
    assert replaced["duration_s"] is not None
    assert segment["end"] - segment["start"] == pytest.approx(9 * 0.05, abs=0.05)  # what the fake says per character


def test_marks_are_for_engines_that_know_them(client: httpx.Client) -> None:
    client.put("/api/v1/lexicon", json={"entries": {"重庆": "chong2 qing4"}})
    assert speak(client, "重庆")["params"]["lexicon"] == {}
    assert speak(client, "重庆", model="basic")["params"]["lexicon"] == {"重庆": "[chong2][qing4]"}
