"""Pronunciation marks: what is read as one, what is ordinary text, and how a wrong one is refused."""

from __future__ import annotations

import pytest

from webui.errors import UserError
from webui.text.pronunciation import (
    Arpabet,
    Event,
    Pinyin,
    Syllable,
    Text,
    legal_syllables,
    parse,
    syllable,
    without_marks,
)


def syllables(text: str) -> list[str]:
    return [str(one) for run in parse(text) if isinstance(run, Pinyin) for one in run.syllables]


def test_runs_come_in_order_with_adjacent_marks_together() -> None:
    assert parse("他爱[h][ào]唱[ge1][qu3]，[M][AY0] name") == [
        Text("他爱"),
        Pinyin((Syllable("hao", 4),)),
        Text("唱"),
        Pinyin((Syllable("ge", 1), Syllable("qu", 3))),
        Text("，"),
        Arpabet(("M", "AY0")),
        Text(" name"),
    ]


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("[h][ào]", "hào"),
        ("[hao4]", "hào"),
        ("[hào]", "hào"),
        ("[Hao4]", "hào"),
        ("[nǚ]", "nǚ"),
        ("[nv3]", "nǚ"),
        ("[n][ǚ]", "nǚ"),
        ("[nu\u0308\u030c]", "nǚ"),  # decomposed, as some keyboards send it
        ("[j][ǖ]", "jū"),
        ("[lüè]", "lüè"),
        ("[zh][ōng]", "zhōng"),
        ("[y][ǐ]", "yǐ"),
        ("[liu2]", "liú"),
        ("[gui3]", "guǐ"),
        ("[de]", "de"),
        ("[ba5]", "ba"),
        ("[gei2]", "géi"),  # a third tone before another is spoken so, though no dictionary has it
    ],
)
def test_every_way_of_writing_a_syllable(written: str, spelt: str) -> None:
    assert syllables(written) == [spelt]


def test_every_legal_syllable_is_read_back_from_both_spellings() -> None:
    every = legal_syllables()
    assert len(every) > 1187
    for one in every:
        assert syllable(f"{one.base}{one.tone}") == one
        assert syllable(str(one)) == one
        assert syllables(f"[{one.initial}][{one.final}]" if one.initial else f"[{one.final}]") == [str(one)]


@pytest.mark.parametrize(
    "text", ["见[1]", "[2025]年", "[注]如下", "[see below]", "a[", "]b[[", "[]", "x < y <b>", "[a\nb]", "[fo1g]"]
)
def test_brackets_that_are_no_mark_are_text(text: str) -> None:
    assert parse(text) == [Text(text)]
    assert without_marks(text) == text


def test_events_are_known() -> None:
    assert parse("[breath]<strong>好</strong>[laughter]") == [
        Event("breath"),
        Event("strong"),
        Text("好"),
        Event("/strong"),
        Event("laughter"),
    ]


@pytest.mark.parametrize(
    ("text", "token", "near"),
    [
        ("爱[haoo4]", "[haoo4]", "[hao4]"),
        ("爱[h][xx]", "[hxx]", "["),
        ("爱[h]", "[h]", "[h][ài]"),
        ("爱[h]好[ào]", "[h]", "[h][ài]"),
        ("[h][h][ào]", "[h]", "[h][ài]"),
        ("[AX0]", "[AX0]", "[AY]"),
        ("[M1]", "[M1]", "[M]"),
        ("[ping9]", "[ping9]", "[ping4]"),
        ("[hǎo4]", "[hǎo4]", "[hao4]"),
    ],
)
def test_a_wrong_mark_is_named_with_its_nearest(text: str, token: str, near: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(text)
    assert raised.value.code == "UNKNOWN_PRONUNCIATION"
    assert raised.value.params["token"] == token
    assert near in raised.value.params["nearest"]
    assert token in raised.value.notice.worded("en").message


def test_long_texts_lose_nothing() -> None:
    runs = parse("爱[h][ào]" * 2000 + "[" * 5000)
    assert sum(isinstance(run, Pinyin) for run in runs) == 2000
    assert runs[-1] == Text("[" * 5000)


def test_marks_are_taken_out() -> None:
    assert without_marks("爱[h][ào]唱[AX9]歌[1]<laughter>") == "爱唱歌[1]"
