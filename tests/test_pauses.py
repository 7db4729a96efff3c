"""Pauses that a text asks for: how the marks are read, where they cut a text, which SSML tags are left out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.errors import UserError
from webui.text import sentences
from webui.text.pauses import MOST_SECONDS, marks, read, shortened, split, spoken
from webui.text.ssml import tags, without_tags


def seconds(text: str) -> list[float]:
    return [mark.seconds for mark in marks(text)]


@pytest.mark.parametrize(
    ("mark", "wanted"),
    [
        ("[停顿 0.8s]", 0.8),
        ("[停顿0.8s]", 0.8),
        ("[停顿:1秒]", 1),
        ("[停顿：300毫秒]", 0.3),
        ("【停顿１．５秒】", 1.5),
        ("［停顿　２ｓ］", 2),
        ("[停頓 2 秒钟]", 2),
        ("[停顿]", 0.5),
        ("[ 停顿 ]", 0.5),
        ("[pause 800ms]", 0.8),
        ("[pause:1s]", 1),
        ("[pause: .5 s]", 0.5),
        ("[PAUSE 2 Seconds]", 2),
        ("[Pause]", 0.5),
        ("[pause 0s]", 0),
        ("[pause 10s]", 10),
        ('<break time="500ms"/>', 0.5),
        ("<break time='0.5s' />", 0.5),
        ("<break time=“1s”/>", 1),
        ("<break time=2s>", 2),
        ('<break\n strength="weak"  time = "+1.25s"/>', 1.25),
        ('<break strength="none"/>', 0),
        ('<break strength="x-strong"/>', 1.2),
        ("<break/>", 0.5),
        ("＜break time=＂500ms＂/＞", 0.5),
    ],
)
def test_a_mark_is_read_however_it_is_typed(mark: str, wanted: float) -> None:
    assert seconds(f"你好{mark}世界") == [pytest.approx(wanted)]
    assert read(split(f"你好{mark}世界")[0].text).text == "你好"


@pytest.mark.parametrize(
    "mark",
    [
        "[pause -1s]",
        "[停顿 5]",
        "[停顿 两秒]",
        "[停顿 1s500ms]",
        "[停顿 1,5s]",
        "[pause 1 min]",
        "[停顿 abc]",
        "[停顿abc]",
        "【停顿：很久】",
        "[pause: long]",
        '<break time="soon"/>',
        '<break time=""/>',
        '<break strength="huge"/>',
    ],
)
def test_a_pause_that_cannot_be_kept_is_named(mark: str) -> None:
    with pytest.raises(UserError) as caught:
        split(f"你好{mark}世界")
    assert (caught.value.code, caught.value.params["token"]) == ("PAUSE_MARK", mark)


@pytest.mark.parametrize(
    "mark", ["[停顿 1s", "[停顿0.8s", "【停顿：800毫秒", "［停顿　２ｓ", "[停顿 两秒", "[Pause 300ms"]
)
@pytest.mark.parametrize("behind", ["", "世界", "，世界。", "\n世界]", "[停顿 1s]", "好" * 50 + "]"])
def test_a_mark_that_is_not_closed_is_named(mark: str, behind: str) -> None:
    with pytest.raises(UserError) as caught:
        split(f"你好{mark}{behind}")
    assert (caught.value.code, caught.value.params["token"]) == ("PAUSE_MARK", mark)


@pytest.mark.parametrize("mark", ["[停顿 10.1s]", "[pause 10001ms]", "<break time='9999s'/>", "[停顿 999999999s]"])
def test_a_pause_that_is_too_long_is_cut_and_named(mark: str) -> None:
    assert seconds(f"好{mark}的") == [MOST_SECONDS]
    assert shortened(f"好[停顿 10s]{mark}的{mark}") == [mark]


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "[注]",
        "[breath]",
        "[laughter]",
        "[h][ào]",
        "[M][AY0]",
        "[停顿了一下]",
        "[pause button]",
        "[paused]",
        "停顿 0.8s",
        "[停顿了1秒",
        "[停顿",
        "[pause at 5",
        "<breaking/>",
        "<strong>好</strong>",
        "(停顿1秒)",
    ],
)
def test_everything_else_stays_in_the_text(text: str) -> None:
    assert seconds(text) == [] and spoken(text) == text
    assert split(f"你好{text}世界。") == sentences.split(f"你好{text}世界。")


def test_a_text_without_marks_is_cut_as_ever() -> None:
    text = (
        "第一段有两句话。这是第二句话。\n第二段 [1] 从这里开始，\n"
        + "没有标点的长句" * 30
        + " Dr. Smith said so. 好。\n"
    )
    assert split(text) == sentences.split(text)


def test_the_text_is_cut_at_its_pauses_however_short_the_parts_are() -> None:
    parts = [read(part.text) for part in split("[停顿]好。[停顿 1s]\n[pause 1s]是，[停顿 0.2s]，Hello [pause 3s] ……")]
    assert [part.text.strip() for part in parts] == ["好。", "是，，", "Hello ……"]
    assert [(part.before, part.after) for part in parts] == [(0.5, 2), (None, pytest.approx(0.2)), (None, 3)]
    assert [part.language for part in split("好[停顿]Hello there[pause]12")] == ["zh", "en", "en"]


def test_a_paragraph_behind_a_leading_pause_still_ends() -> None:
    first = read(split("[停顿 1s]第一段话在这里。\n第二段话在这里。")[0].text)
    assert (first.before, first.after, first.text.endswith("\n")) == (1, None, True)


def test_a_text_of_pauses_has_no_sentences() -> None:
    assert split("[停顿 1s]……<break/>\n") == []


def test_no_mark_joins_what_stands_beside_it() -> None:
    assert spoken("[h][停顿][ào]") == "[h]\n[ào]"


MARKS = st.sampled_from(["[停顿 0.3s]", "[pause 20ms]", '<break time="1s"/>', "【停顿】", "[停顿 0s]"])
WORDS = st.sampled_from(
    ["你好", "。", "\n", "Hello there", "[1]", "[h][ào]", "……", "，", " ", "[注]", "<", "［", "3.5", "好" * 90]
)


@given(st.lists(st.one_of(MARKS, WORDS), max_size=30))
def test_nothing_is_lost_and_the_pauses_stand_where_they_stood(pieces: list[str]) -> None:
    text = "".join(pieces)
    parts = split(text)
    if not parts:
        assert not sentences.speakable(spoken(text))
        return
    assert "".join("".join(part.text for part in parts).split()) == "".join(text.split())
    found = [read(part.text) for part in parts]
    assert all(part.before is None for part in found[1:])
    silence = (found[0].before or 0) + sum(part.after or 0 for part in found)
    assert silence == pytest.approx(sum(seconds(text)))
    assert all(sentences.speakable(part.text) and not marks(part.text) for part in found)


@given(st.text(alphabet="[]【】<>＜停顿pauserbk 0.5sm:：/=\"'time\n好", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parts = split(text)
    except UserError as error:
        assert error.code == "PAUSE_MARK"
    else:
        assert all(read(part.text).text.strip() for part in parts)


def test_all_pauses_together_are_bounded() -> None:
    assert len(split("好[停顿 10s]" * 360)) == 360
    with pytest.raises(UserError, match="PAUSES_TOO_LONG"):
        split("好[停顿 10s]" * 361)


@pytest.mark.parametrize(
    "text",
    [
        "好[停顿 0.1s]" * 10_000,
        "[停顿 0.1s]" * 12_000 + "好",
        "好" + "[停顿 0.1s]" * 12_000,
        "[停顿 " * 25_000,
        "<break " * 16_000,
        "<break time" + " " * 99_000,
        "<" * 100_000,
        "<!--" * 25_000,
        ("[pause" + " " * 33 + "]") * 2_500,
    ],
)
def test_many_marks_take_linear_time(text: str) -> None:
    began = time.perf_counter()
    parts = split(text)
    assert sum(len(read(part.text).text) for part in parts) <= len(text)
    assert time.perf_counter() - began < 5


def test_other_tags_of_ssml_are_left_out_and_named() -> None:
    text = (
        '<?xml version="1.0"?><speak version="1.1"><!-- 开场 --><p><s>你好</s></p><prosody rate="slow">慢一点</prosody>'
        '<mstts:express-as style="sad">难过</mstts:express-as><break time="1s"></break>完</speak>'
    )
    assert tags(text) == ["speak", "p", "s", "prosody", "mstts:express-as"]
    assert "".join(without_tags(text).split()) == '你好慢一点难过<breaktime="1s">完'
    assert [read(part.text).text for part in split(text)][-1] == "完"


@pytest.mark.parametrize(
    "text", ["a<p and q>b", "<strong>好</strong>", "<laughter>", "List<T>", "1<2>1", "<http://a/?b=c>"]
)
def test_what_is_no_tag_of_ssml_stays(text: str) -> None:
    assert tags(text) == [] and without_tags(text) == text
