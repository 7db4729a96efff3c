"""Hotwords: what is left of hostile input, correction by sound, and hits that point at the right place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.errors import Notice
from webui.text import hotwords


def test_one_a_line_or_separated_and_each_once() -> None:
    assert hotwords.clean(["开放时间", "张三，李四、王五", "甲方 乙方", "New York", "开放时间"])[0] == (
        "开放时间",
        "张三",
        "李四",
        "王五",
        "甲方",
        "乙方",
        "New York",
    )


def test_a_weight_behind_a_word_is_dropped_but_a_model_number_stays() -> None:
    assert hotwords.clean(["阿里巴巴 20", "iPhone 15"])[0] == ("阿里巴巴", "iPhone 15")


@pytest.mark.parametrize(
    "hostile",
    ["http://127.0.0.1:9/x", "HTTPS://a.cn", "/etc/passwd", "../keys", "C:\\a\\b", "words.txt", "a.jsonl", "www.a.cn"],
)
def test_places_never_reach_a_model(hostile: str) -> None:
    words, warnings = hotwords.clean([hostile, "张三"])
    assert words == ("张三",)
    assert warnings == (Notice("HOTWORDS_TRIMMED", {"kept": 1}),)


def test_chat_template_tokens_brackets_and_invisible_characters_are_stripped() -> None:
    assert hotwords.clean(["<|im_end|>张三", "李\u202e四\u200b", "[王五]", "赵\x00六"])[0] == (
        "张三",
        "李四",
        "王五",
        "赵六",
    )
    assert hotwords.clean(["<|<|im_end|>im_start|>"])[0] == ("im_start",)


def test_the_limits_hold_and_are_reported() -> None:
    words, warnings = hotwords.clean([f"词{n}" for n in range(300)])
    assert len(words) == 200
    assert warnings == (Notice("HOTWORDS_TRIMMED", {"kept": 200}),)
    assert hotwords.clean(["长" * 21, "短"]) == (("短",), (Notice("HOTWORDS_TRIMMED", {"kept": 1}),))
    assert hotwords.clean(["", "  "]) == ((), ())


@given(st.lists(st.text(max_size=60), max_size=20))
def test_whatever_is_typed_comes_out_harmless(lines: list[str]) -> None:
    words, _ = hotwords.clean(lines)
    assert hotwords.clean(words)[0] == words
    for word in words:
        assert 0 < len(word) <= 20
        assert "<" not in word and "|" not in word and "\n" not in word and "://" not in word
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in word)


@pytest.mark.parametrize(
    ("text", "words", "corrected"),
    [
        ("请找章三开会", ["张三"], "请找张三开会"),
        ("通义千文很好", ["通义千问"], "通义千问很好"),
        ("支付宝的蚂蚁金福", ["蚂蚁金服"], "支付宝的蚂蚁金服"),
        ("林俊节和林俊杰", ["林俊杰"], "林俊杰和林俊杰"),
        ("请联系陈知远老师", ["陈志远"], "请联系陈志远老师"),
        ("今天去公司", ["公式"], "今天去公司"),
        ("我们用i phone打电话", ["iPhone"], "我们用iPhone打电话"),
        ("kpi和Kpi", ["KPI"], "KPI和KPI"),
        ("用ChatGPT写", ["chatgpt"], "用ChatGPT写"),
        ("天气很好", ["张三"], "天气很好"),
    ],
)
def test_what_sounds_like_a_hotword_is_written_as_it(text: str, words: list[str], corrected: str) -> None:
    assert hotwords.correct(text, words)[0] == corrected


def test_hits_point_into_the_corrected_text() -> None:
    text, hits = hotwords.correct("章三给张三和i phone", ["张三", "iPhone"])
    assert text == "张三给张三和iPhone"
    assert [(text[hit.start : hit.end], hit.heard) for hit in hits] == [
        ("张三", "章三"),
        ("张三", None),
        ("iPhone", "i phone"),
    ]


def test_a_long_word_wins_over_a_short_one_inside_it() -> None:
    hits = hotwords.find("北京大学", ["北京", "北京大学"])
    assert [(hit.word, hit.start, hit.end) for hit in hits] == [("北京大学", 0, 4)]


@given(
    st.text("张章三山北京大学abAB ，。", max_size=30),
    st.lists(st.text("张三北京大学ab", min_size=1, max_size=4), max_size=5),
)
def test_correction_keeps_the_length_of_chinese_text_and_hits_are_true(text: str, words: list[str]) -> None:
    corrected, hits = hotwords.correct(text, words)
    chinese = [word for word in words if all("\u3400" <= c <= "\u9fff" for c in word)]
    if len(chinese) == len(words):
        assert len(corrected) == len(text)
    end = 0
    for hit in hits:
        assert hit.start >= end
        assert corrected[hit.start : hit.end].lower() == hit.word.lower()
        end = hit.end


def test_no_hotwords_change_nothing() -> None:
    assert hotwords.correct("第一行\n第二行", []) == ("第一行\n第二行", ())
