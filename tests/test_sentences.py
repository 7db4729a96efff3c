"""Sentences for synthesis: where they end, what is kept together, and that nothing is lost."""

from __future__ import annotations

import random
import time

import pytest

from webui.text.pronunciation import parse
from webui.text.sentences import LEAST, MOST, Sentence, dominant_language, halves, speakable, split


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split(text)]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气很好。我们去公园吧！", ["今天天气很好。", "我们去公园吧！"]),
        ("他说：“我不想去。”然后就走了。", ["他说：“我不想去。”", "然后就走了。"]),
        ("第一行没有标点\n第二行也没有", ["第一行没有标点\n", "第二行也没有"]),
        ("先做这一件；再做那一件……最后休息", ["先做这一件；", "再做那一件……", "最后休息"]),
        ("Mr. Smith paid $3.50. He left at 5 p.m. sharp.", ["Mr. Smith paid $3.50.", "He left at 5 p.m. sharp."]),
        ('He said "Go home now." Nobody moved at all.', ['He said "Go home now."', "Nobody moved at all."]),
        ("He waited... and went on. Then he stopped.", ["He waited... and went on.", "Then he stopped."]),
        ("A line that wraps\nin the middle. A second one.", ["A line that wraps\nin the middle.", "A second one."]),
        ("价格是3.5元。版本2.0已发布。", ["价格是3.5元。", "版本2.0已发布。"]),
        ("我叫John Smith.我爱唱歌。", ["我叫John Smith.", "我爱唱歌。"]),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("第一段话。\n第二段话。", ["第一段话。\n", "第二段话。"]),
        ("第一段话。第二句话。 \r\n\r\n　　第二段话。\n", ["第一段话。", "第二句话。\n", "第二段话。"]),
        ("One paragraph here.\n\nAnother one here.", ["One paragraph here.\n", "Another one here."]),
        ("他说：“今天很好。”\n我们走吧。", ["他说：“今天很好。”\n", "我们走吧。"]),
        ("first line,\nthe same sentence. It ends here.", ["first line,\nthe same sentence.", "It ends here."]),
        ("会议到此结束。谢谢。\n第二段话。", ["会议到此结束。谢谢。\n", "第二段话。"]),
        ("第一段话。\n好。\n第三段话。", ["第一段话。\n", "好。\n第三段话。"]),
        ("好。\n我们明天见面吧。\n好。", ["好。\n我们明天见面吧。\n好。"]),
    ],
)
def test_the_last_sentence_of_a_paragraph_ends_in_a_line_break(text: str, expected: list[str]) -> None:
    """Unless it is the last of all, or too short to stand alone."""
    assert texts(text) == expected


def test_a_long_sentence_that_is_cut_at_a_wrapped_line_is_no_paragraph() -> None:
    parts = texts("\n".join(["clause"] * 200))
    assert len(parts) > 2
    assert not any(part.endswith("\n") for part in parts)


def test_short_ones_join_their_neighbour() -> None:
    assert texts("好。我们明天见面吧。") == ["好。我们明天见面吧。"]
    assert texts("我们明天见面吧。好。……") == ["我们明天见面吧。好。……"]
    assert texts("1. Put the kettle on. 2. Wait for the water.") == ["1. Put the kettle on.", "2. Wait for the water."]
    assert texts("[breath]。我们明天见面吧。") == ["[breath]。我们明天见面吧。"]


def test_long_ones_are_cut_at_their_pauses() -> None:
    parts = texts("这是一个很长很长的分句，" * 30)
    assert all(part.endswith("，") and len(part) <= MOST["zh"] for part in parts)
    parts = texts("a rather long clause without an end, " * 30)
    assert all(part.endswith(",") and len(part) <= MOST["en"] for part in parts)
    assert all(part.startswith("word") and part.endswith("word") for part in texts("word " * 300))
    assert all(not part.startswith(("0", ",")) for part in texts("金额1,000,000元整" * 40))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("今天天气很好，我们去公园。", ["今天天气很好，", "我们去公园。"]),
        ("a short walk in the park", ["a short walk in", "the park"]),
        ("一二三[hao4]四", ["一二三", "[hao4]四"]),
        ("好。", ["好。"]),
        ("。。。", ["。。。"]),
    ],
)
def test_a_sentence_is_halved_where_both_parts_say_something(text: str, parts: list[str]) -> None:
    assert halves(text) == parts


def test_marks_are_never_divided() -> None:
    for part in texts("[h][ào][nǚ]" * 200):
        parse(part)
    assert all("[b" not in part or "[breath]" in part for part in texts("字" * 117 + "[breath]" + "字" * 50))


def test_each_sentence_has_its_language() -> None:
    assert [
        sentence.language for sentence in split("我叫John，我爱唱歌。I love singing and dancing. 我们走吧朋友们。")
    ] == [
        "zh",
        "en",
        "zh",
    ]
    assert split("12345 67890", default="en") == [Sentence("12345 67890", "en")]
    assert dominant_language("[M][AY0]") == "en"
    assert dominant_language("[h][ào]", "en") == "zh"
    assert dominant_language("Please meet 张三 at the hotel tomorrow") == "en"


@pytest.mark.parametrize("text", ["", "  \n", "……！？", "[breath]", "“”", "<strong></strong>"])
def test_nothing_to_say(text: str) -> None:
    assert not speakable(text)
    assert split(text) == []


@pytest.mark.parametrize("text", ["好", "a", "5", "[h][ào]", "[M][AY0]", "……好"])
def test_something_to_say(text: str) -> None:
    assert speakable(text)
    assert len(split(text)) == 1


@pytest.mark.parametrize("filling", ["\n", " \n", "！", "。\n", "[breath]", " "])
def test_long_stretches_without_words_take_no_time(filling: str) -> None:
    text = "今天天气很好" + filling * (90_000 // len(filling)) + "我们去公园"
    began = time.process_time()
    parts = texts(text)
    assert time.process_time() - began < 2
    assert squeezed("".join(parts)) == squeezed(text)


def test_no_character_is_lost_and_every_sentence_can_be_spoken() -> None:
    generator = random.Random(7)
    marks = ["[h][ào]", "[M][AY0]", "[breath]", "[1]", "1,234", "Mr.", "3.5"]
    atoms = [*'好的我。！？；，、…,.!?;:\n "”“（)ab1 ', *marks]
    for _ in range(300):
        text = "".join(generator.choices(atoms, k=generator.randint(1, 200)))
        parts = split(text)
        if speakable(text):
            assert squeezed("".join(part.text for part in parts)) == squeezed(text)
        assert all(speakable(part.text) for part in parts)
        assert all(len(part.text) <= MOST["en"] + LEAST["en"] * 12 for part in parts)
