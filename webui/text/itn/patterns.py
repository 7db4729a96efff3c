"""What the rules are made of: pieces of patterns over canonical numerals, and the rule itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from webui.text.itn.numbers import CARDINAL, NUMBER, NUMERALS
from webui.text.itn.words import COUNTER, MEASURE

ONE = "[一二三四五六七八九]"
TAIL = f"(?:(?<=[百千万亿兆]){ONE}(?![{NUMERALS}点])(?!{COUNTER}(?<![块元角毛分米岁斤号两度])))"
LONG = f"(?:{CARDINAL}{TAIL}?)"
ANY = f"(?:{NUMBER}{TAIL}?)"
LEAD = "[一二两三四五六七八九]"
PAIR = f"(?P<a>{LEAD})(?P<b>{LEAD})"
SIGN = "(?P<sign>正负|负)?"
COUNTED = f"(?={COUNTER}|{MEASURE}|多|余|来|[十百千万亿])"
HOUR = "(?:二十[一二三四]?|十[一二三四五六七八九]?|[零一二两三四五六七八九])"
MINUTE = "(?:[二三四五]?十[一二三四五六七八九]?|零?[一二三四五六七八九]|零零)"
MONTH = "(?:十[一二]?|[一二三四五六七八九])"
DAY = "(?:三十一?|二?十[一二三四五六七八九]?|二十|[一二三四五六七八九])"


@dataclass(frozen=True)
class Rule:
    """`write` gives the written form of a match of `pattern`, or None where it is no such thing after all."""

    name: str
    source: str
    write: Callable[[re.Match[str]], str | None]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when first used: all of them take longer than anything else that the program starts with."""
        return re.compile(self.source)


_SIGNS = {"正负": "±", "负": "-"}


def sign(match: re.Match[str]) -> str:
    """What is written for the sign of a pattern with SIGN in it."""
    return _SIGNS.get(match["sign"] or "", "")
