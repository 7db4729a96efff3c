"""Subtitles: the rules hold for any transcript, times follow the words, text cannot become markup."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.text.cues import Cue
from webui.text.subtitles import cues, srt, vtt
from webui.text.transcript import WIDE, TimedWord, TranscriptSegment, join_texts

# Seconds: a subtitle's shortest and longest time, and its shortest where others wait; how late one may come.
LEAST, MOST, FLASH, LATE = 1.0, 7.0, 0.2, 1.0
CHINESE = (
    "大家好，欢迎收听今天的节目。今天我们要讨论的是人工智能在政务服务中的应用，特别是12345热线的语音转写。"
    "这项工作从2025年11月20日开始，到目前为止，已经处理了三百多万通电话。"
)
ENGLISH = (
    "The quick brown fox jumps over the lazy dog, and then it runs away from the hunters who are chasing it. "
    "Dr. Smith said: \"that's fine\", didn't he? Yes."
)


def segment(text: str, start: float = 0, end: float = 18, speaker: str | None = None) -> TranscriptSegment:
    return TranscriptSegment(start, end, text, speaker)


def width(line: str) -> float:
    return sum(1 / 20 if WIDE.match(character) else 1 / 42 for character in line)


def check_rules(found: list[Cue]) -> None:
    for cue in found:
        assert 1 <= len(cue.lines) <= 3
        assert all(line.strip() for line in cue.lines)
        labels = [f"{speaker}: " if speaker else "" for speaker in cue.speakers]
        assert all(width(label + line) <= 1.0001 for label, line in zip(labels, cue.lines, strict=True))
        assert FLASH - 1e-9 <= cue.end - cue.start <= MOST + 1e-9
    for before, after in pairwise(found):
        assert before.end <= after.start + 1e-9
        assert before.end - before.start >= min(LEAST, after.start - before.start) - 1e-9


def plain(found: list[Cue]) -> str:
    return "".join("".join(cue.lines) for cue in found).replace(" ", "")


def test_chinese_breaks_at_punctuation() -> None:
    found = cues([segment(CHINESE)])
    check_rules(found)
    assert plain(found) == CHINESE
    assert all(cue.lines[-1][-1] in "，。" for cue in found)
    assert found[0].lines == ("大家好，欢迎收听今天的节目。",)


def test_english_breaks_between_words_and_at_clauses() -> None:
    found = cues([segment(ENGLISH)])
    check_rules(found)
    assert " ".join(" ".join(cue.lines) for cue in found) == ENGLISH
    assert [cue.lines[-1][-1] for cue in found][:2] == [",", "."]
    assert not any(cue.lines[-1].endswith("Dr.") for cue in found)


def test_text_without_punctuation_is_divided_evenly() -> None:
    found = cues([segment("没有标点的一段很长的文字它会一直说下去" * 4, 0, 20)])
    check_rules(found)
    lengths = [len("".join(cue.lines)) for cue in found]
    assert max(lengths) - min(lengths) <= 2


def test_a_subtitle_does_not_bridge_a_long_pause() -> None:
    words = tuple(
        TimedWord(c, n * 0.3 + (5 if n >= 6 else 0), n * 0.3 + 0.3 + (5 if n >= 6 else 0))
        for n, c in enumerate("我们先说到这里接着再说")
    )
    found = cues([TranscriptSegment(0, 9, "我们先说到这里接着再说", None, words)])
    check_rules(found)
    assert [cue.lines[0] for cue in found] == ["我们先说到这", "里接着再说"]
    assert found[0].end == pytest.approx(1.8)
    assert found[1].start == pytest.approx(6.8)


def test_times_follow_the_words_even_where_the_text_was_rewritten() -> None:
    """ITN made digits of the numerals; the sentence after them still begins with its own word."""
    spoken = "二零二五年开始今天天气很好"
    words = tuple(TimedWord(c, float(n), n + 0.9) for n, c in enumerate(spoken))
    found = cues([TranscriptSegment(0, 13, "2025年开始。今天天气很好。", None, words)])
    assert [cue.lines for cue in found] == [("2025年开始。",), ("今天天气很好。",)]
    assert found[0].end == pytest.approx(spoken.index("今") - 0.1)
    assert found[1].start == pytest.approx(spoken.index("今"))


def test_two_speakers_at_once_share_a_subtitle_line_by_line() -> None:
    found = cues([segment("我先说。", 0, 3, "甲"), segment("我也说。", 0, 3, "乙"), segment("我再说。", 0.5, 3, "甲")])
    check_rules(found)
    assert [(cue.lines, cue.speakers) for cue in found] == [
        (("我先说。", "我也说。", "我再说。"), ("甲", "乙", "甲")),
    ]
    assert srt([segment("我先说。", 0, 3, "甲"), segment("我也说。", 0, 3, "乙")]).endswith(
        "甲: 我先说。\n乙: 我也说。\n"
    )
    assert vtt([segment("我先说。", 0, 3, "甲"), segment("我也说。", 0, 3, "乙")]).endswith(
        "<v 甲>我先说。\n<v 乙>我也说。\n"
    )


def test_a_speaker_is_named_once_until_another_speaks() -> None:
    found = cues([segment("一。", 0, 2, "甲"), segment("二。", 2, 4, "甲"), segment("三。", 4, 6, "乙")])
    assert [cue.speakers for cue in found] == [("甲",), (None,), ("乙",)]


def test_short_words_stay_a_second_and_share_a_subtitle() -> None:
    found = cues([segment("嗯。", 5, 5.2), segment("好的。", 5.3, 5.6), segment("再见。", 9, 9.4)])
    check_rules(found)
    assert [(cue.start, cue.end, cue.lines) for cue in found] == [(5, 6, ("嗯。 好的。",)), (9, 10, ("再见。",))]


def test_a_short_answer_does_not_end_the_long_sentence_around_it() -> None:
    long = segment("我们现在给您核对一下登记的信息，请您听一下是不是正确的。", 0, 6, "坐席")
    found = cues([long, segment("嗯", 0.5, 0.8, "市民"), segment("对", 3.4, 3.7, "市民")])
    check_rules(found)
    assert sum(cue.end - cue.start for cue in found if any("核对" in line for line in cue.lines)) >= 3
    assert "市民" in {speaker for cue in found for speaker in cue.speakers}


@pytest.mark.parametrize("period", [0.4, 0.6, 0.8, 1.0, 1.3])
@pytest.mark.parametrize("speakers", [(None,), ("坐席", "市民")])
def test_quick_answers_are_never_late(period: float, speakers: tuple[str | None, ...]) -> None:
    said = [segment(f"回答{n:02}号", n * period, n * period + 0.5, speakers[n % len(speakers)]) for n in range(60)]
    found = cues(said)
    check_rules(found)
    for each in said:
        shown = next(cue for cue in found if any(each.text in line for line in cue.lines))
        assert shown.start - each.start <= LATE + 1e-9
        assert shown.end > each.start


def test_of_many_that_speak_at_once_each_is_shown_long_enough_to_be_seen() -> None:
    found = cues([segment(f"这是第{n}个人说的话，一行放不下这一整句，别人都不等他说完。", 0, 5) for n in range(5)])
    check_rules(found)
    assert [cue.start for cue in found] == pytest.approx([0, 1, 1.2, 1.4, 1.6])


def test_srt_is_numbered_and_cannot_be_broken_by_its_text() -> None:
    text = srt([segment("<b>粗</b> --> {\\an8}\n\n2\n00:00:00,000", 3661.0015, 3664, "甲\n乙")])
    assert text == "1\n01:01:01,002 --> 01:01:04,000\n甲 乙: ＜b>粗＜/b> →\n｛\\an8} 2 00:00:00,000\n"


def test_vtt_is_escaped() -> None:
    text = vtt([segment("<c>甲&乙</c> --> x", 0, 3, "<v>")])
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\n")
    body = text.split("\n", 3)[3]
    assert body == "<v &lt;v&gt;>&lt;c&gt;甲&amp;乙&lt;/c&gt; --&gt; x\n"


def test_an_empty_transcript_is_an_empty_file() -> None:
    assert srt([]) == ""
    assert vtt([segment("  ")]) == "WEBVTT\n"


TEXTS = st.text(st.sampled_from("今天气好的我们，。！、（）《》abc de'f.,!?12 -\"—😀é한ก\n"), min_size=1, max_size=120)
TIMES = st.floats(0, 300, allow_nan=False)
SEGMENTS = st.builds(
    lambda start, length, text, speaker: TranscriptSegment(start, start + length, text, speaker),
    TIMES,
    st.floats(0, 25),
    TEXTS,
    st.sampled_from([None, "甲", "Speaker 1"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SEGMENTS, max_size=6))
def test_the_rules_hold_for_any_transcript(segments: list[TranscriptSegment]) -> None:
    found = cues([TranscriptSegment(s.start, s.end, s.text, None) for s in segments])
    check_rules(found)
    said = sorted("".join(s.text.split()) for s in segments)
    assert sorted(plain(found).replace(" ", "")) == sorted("".join(said))


@settings(max_examples=50, deadline=None)
@given(st.lists(SEGMENTS, max_size=4))
def test_srt_is_well_formed_whatever_is_said(segments: list[TranscriptSegment]) -> None:
    for number, block in enumerate(filter(None, srt(segments).split("\n\n")), 1):
        lines = block.strip("\n").split("\n")
        assert lines[0] == str(number)
        assert re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", lines[1])
        assert 1 <= len(lines[2:]) <= 3


@pytest.mark.parametrize(
    "text", ["( " * 10_000, "a" * 20_000, "，" * 20_000, "字" * 20_000, "a-" * 10_000, "<" * 20_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    began = time.process_time()
    srt([segment(text, 0, 10)])
    assert time.process_time() - began < 5


def test_texts_are_joined_with_spaces_only_where_scripts_have_them() -> None:
    assert join_texts(["你好。", "再见。"]) == "你好。再见。"
    assert join_texts(["Hello.", "Bye."]) == "Hello. Bye."
    assert join_texts(["你好", "ABC", "", " 再见 "]) == "你好ABC再见"
    assert join_texts(["안녕", "하세요"]) == "안녕 하세요"
