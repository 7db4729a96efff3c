"""Text normalisation before speech: numbers, dates, units and signs in words.

Numbers and signs are read by our own rules (`webui.text.tn`). English abbreviations and addresses on the internet are
read by wetext, behind a guard: an answer that has lost a word is not taken. What stays unnormalised is read by the
engine as it can. `docs/normalisation.md` has the agreement with published suites.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from webui.text.pronunciation import MARK, is_mark
from webui.text.tn import chinese, english

log = logging.getLogger(__name__)

_CJK = "㐀-鿿豈-\ufaff\u3000-\u303f\uff00-\uffef"
# Left alone where wetext reads: line breaks, and what it escapes or takes for its own syntax.
_KEPT = re.compile(r'[\n"\\{}\[\]]')
_CHINESE = re.compile("[㐀-鿿豈-\ufaff]")
_FIGURES = "[0-9.,:/%+-]{0,24}"
_CHINESE_ZONE = re.compile(rf"{_FIGURES}[{_CJK}]+(?:{_FIGURES}[{_CJK}]+)*(?:[0-9][0-9.,:/%+-]*(?<![.,:/+-]))?")
_ENGLISH_ZONE = re.compile(rf"(?<![0-9A-Za-z/])(?<![0-9] )[A-Za-z][^{_CJK}]*")  # 10mg, 10 mg/kg: units
_COUNTER = re.compile("[个元块年月日号天次人名台件只本张条份点时分秒岁万亿米克斤吨度]")
_LAST_FIGURES = re.compile(rf"(?<![A-Za-z0-9.-])[0-9]{_FIGURES}$")
_ENGLISH_WORD = re.compile(r"\b[A-Za-z][a-z'’]+\b")
_WORTH = re.compile(r"[0-9%°℃℉$€£¥￥+=×÷±≥≤&@/]|\b(?:Dr|Mrs?|Ms|Prof|St|Mt|Hon|Rev|Maj|Gov|Capt|Col|Lt|Sgt|Ph\.D)\.")
_FULL_WIDTH = {ord(sign): chr(ord(sign) - 0xFEE0) for sign in "％．／：＋－＝＞＜＃＊"} | {
    code: code - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)
}
_HYPHENS = str.maketrans("‐‑﹣〜―", "---～—")


class Normaliser:
    """Reads numbers and signs out in Chinese or English. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def normalise(self, text: str, language: str) -> str:
        """`text` in words; `language` ("zh" or "en") decides for what shows none of its own.

        Pronunciation marks, line breaks and quotes stay as they are, and nothing but signs is ever left out.
        """
        parts, end = [], 0
        for mark in filter(is_mark, MARK.finditer(text)):
            parts += [self._line(text[end : mark.start()], language), mark[0]]
            end = mark.end()
        return "".join([*parts, self._line(text[end:], language)])

    def _line(self, text: str, language: str) -> str:
        text = text.translate(_FULL_WIDTH).translate(_HYPHENS)
        return "".join(self._zone(zone, spoken) for zone, spoken in _zones(text, language))

    def _zone(self, zone: str, language: str) -> str:
        """A stretch in one language."""
        if language == "zh":
            return chinese.read(zone)
        zone = english.read(zone)
        said = map(self._abbreviations, _KEPT.split(zone))
        return "".join(part + kept for part, kept in zip(said, [*_KEPT.findall(zone), ""], strict=True))

    def _abbreviations(self, part: str) -> str:
        """A part without kept signs, as a whole or, where that fails, word by word."""
        body = part.strip()
        if not _WORTH.search(body):
            return part
        read = self._by_wetext(body)
        if read is None:
            read = "".join(self._by_wetext(word) or word for word in re.split(r"(\s+)", body))
        before = part[: len(part) - len(part.lstrip())]
        return before + read + part[len(before) + len(body) :]

    def _by_wetext(self, text: str) -> str | None:
        """None where there is no reading that can be trusted."""
        if not _WORTH.search(text):
            return text
        with self._lock:
            if self._wetext is None:
                return None
            try:
                read = self._wetext(text)
            except Exception as error:  # wetext asserts on characters that it does not know
                log.debug("wetext failed: %s", type(error).__name__)
                return None
        return read if _keeps_words(text, read) else None

    @cached_property
    def _wetext(self) -> Callable[[str], str] | None:
        try:
            from wetext import Normalizer
        except ImportError:
            log.warning("wetext is not installed: English abbreviations are read by the engine itself")
            return None
        engine: Any = Normalizer(lang="en", operator="tn")
        normalise: Callable[[str], str] = engine.normalize
        return normalise


def _zones(text: str, language: str) -> Iterator[tuple[str, str]]:
    """The text in stretches, each with its language: in a Chinese text an English stretch has two words or more."""
    pattern, other = (_CHINESE_ZONE, "zh") if language == "en" else (_ENGLISH_ZONE, "en")
    end = 0
    for match in pattern.finditer(text):
        if other == "zh" and not _CHINESE.search(match[0]):
            continue
        if other == "en" and len(_ENGLISH_WORD.findall(match[0])) < 2:
            continue
        stop = match.end()
        if other == "en" and _COUNTER.match(text, stop) and (counted := _LAST_FIGURES.search(match[0])):
            stop = match.start() + counted.start()  # I have 12个
        yield text[end : match.start()], language
        yield text[match.start() : stop], other
        end = stop
    yield text[end:], language


def _keeps_words(text: str, read: str) -> bool:
    """Whether the reading still has, perhaps written out, every longer word."""
    if text and not read.strip():
        return False
    words = set(re.findall(r"[a-z]{4,}", text.lower()))
    read_words = set(re.findall(r"[a-z]+", read.lower()))
    initials = {word[0] for word in read_words - words}  # Expy is read as Expressway
    return all(word in read_words or word[0] in initials for word in words)
