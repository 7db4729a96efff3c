"""Chinese characters as pinyin: pypinyin's dictionary and ours, cut into the longest words, with tone sandhi."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from webui.engines.basic import polyphones

if TYPE_CHECKING:
    from pypinyin.core import Pinyin

_LONGEST = 8  # characters of a word
_NUMERAL = re.compile("[零一二三四五六七八九十百千万亿两第]")
_DIGIT = re.compile("[零一二三四五六七八九]")
_DIGIT = re.compile("[零一二三四五六七八九]")


def pinyin(hanzi: str) -> list[str]:
    """The reading of each character ("hao3", ü as v) with tone sandhi; a character without one is itself."""
    said: list[str] = []
    for at, reading in polyphones.readings(hanzi):
        said += [*_by_words(hanzi[len(said) : at]), reading]
    return said + _by_words(hanzi[len(said) :])


def _by_words(hanzi: str) -> list[str]:
    from pypinyin import Style

    words = list(_words(hanzi))
    readings: list[str] = _reader().lazy_pinyin(words, style=Style.TONE3, errors=list)  # type: ignore[arg-type]
    at = 0
    for word in words:
        if word[0] == "一" or word == "不":
            readings[at] = _in_tone(hanzi, at, len(word), readings)
        at += len(word)
    return readings


def _in_tone(hanzi: str, at: int, size: int, readings: list[str]) -> str:
    """一 and 不 before a word that they are not written together with (一趟 yi2, 一天 yi4); in a numeral 一 is yi1."""
    reading, before, behind = readings[at], hanzi[at - 1 : at], hanzi[at + 1 : at + 2]
    in_a_numeral = _NUMERAL.match(before) or _DIGIT.match(behind) or (before == "月" and behind in "日号")
    if hanzi[at] == "一" and in_a_numeral:
        return "yi1"
    following = readings[at + 1][-1:] if at + 1 < len(readings) else ""
    if (size > 1 and behind not in "百千万亿") or following not in ("1", "2", "3", "4"):
        return reading
    return reading[:-1] + ("2" if following == "4" else "4")


def _words(hanzi: str) -> Iterator[str]:
    """The longest known words from the left, single characters between them."""
    from pypinyin.constants import PHRASES_DICT

    own, at = polyphones.known_words(), 0
    while at < len(hanzi):
        sizes = range(min(_LONGEST, len(hanzi) - at), 1, -1)
        size = next(
            (size for size in sizes if hanzi[at : at + size] in own or hanzi[at : at + size] in PHRASES_DICT), 1
        )
        yield hanzi[at : at + size]
        at += size


@cache
def _reader() -> Pinyin:
    """pypinyin with our readings; its dictionary, which other parts use as well, stays as it is."""
    from pypinyin.converter import UltimateConverter
    from pypinyin.core import Pinyin

    class Converter(UltimateConverter):
        def post_pinyin(self, han: str, heteronym: bool, pinyin: list[list[str]], **kwargs: Any) -> list[list[str]]:
            own = polyphones.known_words().get(han) or [polyphones.usual_readings().get(han, "")] * len(han)
            pinyin = [[ours] if ours else theirs for ours, theirs in zip(own, pinyin, strict=True)]
            return super().post_pinyin(han, heteronym, pinyin, **kwargs) or pinyin

    return Pinyin(Converter(tone_sandhi=True, neutral_tone_with_five=True))
