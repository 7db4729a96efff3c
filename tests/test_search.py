"""Search: bigrams find what a substring search finds, and nothing a user types is FTS5 syntax."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from tests.jobs_kit import Store, open_store
from webui.store.rows import JobFilter
from webui.store.search import CREATE_INDEX, MAX_TERMS, fill_index, match_expression, tokens

FEW = "天地人好坏"  # few different characters, so that queries do hit
TEXTS = st.lists(st.text(f"{FEW}，。 a1", max_size=14), min_size=1, max_size=8)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def found_in(contents: list[str], query: str) -> set[int]:
    with create_engine("sqlite://").begin() as connection:
        connection.execute(text(CREATE_INDEX))
        for number, content in enumerate(contents):
            row = {"id": number, "text": " ".join(tokens(content)), "own": "u1 kspeak"}
            connection.execute(text("INSERT INTO jobs_fts(rowid, text, own) VALUES (:id, :text, :own)"), row)
        expression = {"e": match_expression(query, 1)}
        return set(connection.execute(text("SELECT rowid FROM jobs_fts WHERE jobs_fts MATCH :e"), expression).scalars())


@given(contents=TEXTS, query=st.text(FEW, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_chinese_search_equals_substring_search(contents: list[str], query: str) -> None:
    assert found_in(contents, query) == {number for number, content in enumerate(contents) if query in content}


def _blind(content: str) -> str:
    """Without what the search does not see: spaces and punctuation, where they part two runs of different kinds."""
    kinds = {**dict.fromkeys(FEW, "C"), **dict.fromkeys("abc", "L"), **dict.fromkeys("123", "N"), "😀": "S"}
    seen, before = "", ""
    for part in re.findall(r"[^ ，。]+", content):
        same = before and kinds[before] == kinds[part[0]] and kinds[before] != "S"
        seen += ("|" if same else "") + part
        before = part[-1]
    return seen


@given(
    contents=st.lists(st.text("天地abc123😀 ，", max_size=14), min_size=1, max_size=8),
    query=st.text("天地abc123😀", min_size=1, max_size=7),
)
@settings(max_examples=600, deadline=None)
def test_any_search_equals_substring_search(contents: list[str], query: str) -> None:
    assert found_in(contents, query) == {n for n, content in enumerate(contents) if _blind(query) in _blind(content)}


@pytest.mark.parametrize(
    ("content", "queries", "not_by"),
    [
        ("13812345678", ["138", "5678", "12345", "8"], ["5679", "83"]),
        ("20251120_0093.wav", ["2025", "1120", "93", "0093", "wav", "av"], ["939"]),
        ("共计320元", ["20", "320", "共计320元", "共计 元", "计3"], ["230"]),
        ("ISO9001，CosyVoice3", ["9001", "ISO", "iso 9001", "ISO9001", "Voice", "voice3", "yvo"], ["voice9", "iso3"]),
        ("24000Hz的 refund", ["Hz", "4000", "fund", "z", "00hz"], ["funding"]),
        ("录音😀.wav", ["😀", "音😀", "录音"], ["🙂"]),
        ("Café ＡＢＣ", ["cafe", "café", "abc", "CAFÉ"], ["cafes"]),
        ("张三在2025年投诉", ["张三 2025", "2025年投诉", "三在2"], ["张三2025"]),
    ],
)
def test_any_part_is_found_and_nothing_else(content: str, queries: list[str], not_by: list[str]) -> None:
    assert [query for query in queries if not found_in([content], query)] == []
    assert [query for query in not_by if found_in([content], query)] == []


def test_nothing_is_found_half_in_the_text_and_half_in_the_name(store: Store) -> None:
    job = store.finished("请稍等", file_name="2025.wav")
    assert [row.uid for row in store.history.page(JobFilter(job.owner_id, "等 2025"))] == [job.uid]
    assert store.history.page(JobFilter(job.owner_id, "等2025")) == []


def test_tokens_are_the_next_characters_of_every_place() -> None:
    assert list(tokens("投诉电话，OK１２")) == ["投诉", "诉电", "电话", "话", "ok", "k", "12", "2"]
    assert list(tokens("好 a4567")) == ["好", "a", "456", "567", "67", "7"]
    assert list(tokens("…！")) == []


@pytest.mark.parametrize(
    "query",
    ['"', "a OR b", "NEAR(天 地)", "text:天", "天*", "-天", "^天", "天 AND", "{text} : x", "'; DROP TABLE jobs"],
)
def test_a_users_syntax_never_reaches_the_engine(store: Store, query: str) -> None:
    store.finished("天地人", file_name="a.wav")
    assert isinstance(store.history.page(JobFilter(store.owner().id, query)), list)


def test_all_words_must_occur_in_any_order(store: Store) -> None:
    job = store.finished("客户投诉退款太慢", file_name="Hotline-0042.mp3")
    for query in ("投诉 退款", "退款投诉", "投诉 hotline", "HOTLINE", "0042", "hot", "诉退", "慢"):
        expected = [] if query == "退款投诉" else [job.uid]
        assert [row.uid for row in store.history.page(JobFilter(job.owner_id, query))] == expected, query


def test_a_query_of_punctuation_alone_finds_nothing(store: Store) -> None:
    store.finished("天，地")
    assert store.history.page(JobFilter(None, "，。！")) == []
    assert match_expression("，。！", None) is None


def test_a_query_has_a_limited_number_of_terms() -> None:
    assert (match_expression("词 " * 100, 7) or "").count("text:") == MAX_TERMS


def test_only_ones_own_jobs_are_found(store: Store) -> None:
    mine, theirs = store.finished("投诉", store.owner("a")), store.finished("投诉", store.owner("b"))
    found = {owner: store.history.page(JobFilter(owner, "投诉")) for owner in (mine.owner_id, theirs.owner_id, None)}
    assert [[row.uid for row in rows] for rows in found.values()] == [
        [mine.uid],
        [theirs.uid],
        [theirs.uid, mine.uid],
    ]


def test_spoken_text_is_found_from_the_start(store: Store) -> None:
    job = store.submit(kind="speak", text="欢迎致电客服中心")
    assert [row.uid for row in store.history.page(JobFilter(None, "客服", kind="speak"))] == [job.uid]
    assert store.history.page(JobFilter(None, "客服", kind="transcribe")) == []


def test_rebuilding_gives_the_same_index(store: Store) -> None:
    jobs = [store.finished(content) for content in ("天地", "地人", "人天")]
    gone = store.finished("地")
    store.jobs.delete(gone.owner_id, gone.uid)
    before = [row.uid for row in store.history.page(JobFilter(None, "地"))]
    with store.database.write() as connection:
        assert fill_index(connection) == len(jobs)
    assert [row.uid for row in store.history.page(JobFilter(None, "地"))] == before == [jobs[1].uid, jobs[0].uid]
