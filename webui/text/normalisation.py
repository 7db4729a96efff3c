"""Text normalisation before speech: numbers, dates, units and signs in words.

The rules are wetext's, behind a guard: it is given one line at a time without the characters that it spoils,
each part in its own language, and an answer that has lost a word is not taken. What stays unnormalised is read
by the engine as it can. `docs/normalisation.md` has the agreement with published suites.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from webui.text.pronunciation import MARK, is_mark
from webui.text.tn import chinese

log = logging.getLogger(__name__)

_CJK = "㐀-鿿豈-\ufaff\u3000-\u303f\uff00-\uffef"
# Left alone: pronunciation marks, line breaks, and what wetext escapes or reads as its own syntax.
# Left alone where wetext reads: line breaks, and what it escapes or takes for its own syntax.
_KEPT = re.compile(r'[\n"\\{}\[\]]')
_CHINESE = re.compile("[㐀-鿿豈-\ufaff]")
_CHINESE_ZONE = re.compile(rf"[0-9.,:/%+-]*[{_CJK}]+(?:[0-9.,:/%+-]*[{_CJK}]+)*(?:[0-9][0-9.,:/%+-]*(?<![.,:/+-]))?")
_ENGLISH_ZONE = re.compile(rf"(?<![0-9A-Za-z/])[A-Za-z][^{_CJK}]*")
_ENGLISH_WORD = re.compile(r"\b[A-Za-z][a-z'’]+\b")
_WORTH = re.compile(r"[0-9%°℃℉$€£¥￥+=×÷±≥≤&@/]|\b(?:Dr|Mrs?|Ms|Prof|St|Mt|Hon|Rev|Maj|Gov|Capt|Col|Lt|Sgt|Ph\.D)\.")
_FULL_WIDTH = {ord(sign): chr(ord(sign) - 0xFEE0) for sign in "％．／：＋－"} | {
    code: code - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)
}
_NUMBER_WORDS = (
    "a|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    "|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
)
_BARE_THOUSAND = re.compile(rf"(\b(?:{_NUMBER_WORDS})\s+)?\bthousand\b")


class Normaliser:
    """Reads numbers and signs out in Chinese or English. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[str, Callable[[str], str] | None] = {}

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
        text = text.translate(_FULL_WIDTH)
        return "".join(self._zone(zone, spoken) for zone, spoken in _zones(text, language))

    def _zone(self, zone: str, language: str) -> str:
        """A stretch in one language."""
        if language == "zh":
            return chinese.read(zone)
        parts = _KEPT.split(zone)
        return "".join(
            read + kept for read, kept in zip(map(self._english, parts), [*_KEPT.findall(zone), ""], strict=True)
        )

    def _english(self, zone: str) -> str:
        """An English stretch as a whole or, where that fails, word by word."""
        body = zone.strip()
        if not _WORTH.search(body):
            return zone
        read = self._read(body, "en")
        if read is None:
            read = "".join(self._read(word, "en") or word for word in re.split(r"(\s+)", body))
        before = zone[: len(zone) - len(zone.lstrip())]
        return before + read + zone[len(before) + len(body) :]

    def _read(self, text: str, language: str) -> str | None:
        """wetext's reading; None where there is none that can be trusted."""
        if not _WORTH.search(text):
            return text
        with self._lock:
            normalise = self._engine(language)
            if normalise is None:
                return None
            try:
                read = normalise(_prepared(text, language))
            except Exception as error:  # wetext asserts on characters that it does not know
                log.debug("wetext failed: %s", type(error).__name__)
                return None
        if language == "en" and re.search(r"\d,?000|\d,\d", text):
            read = _BARE_THOUSAND.sub(lambda match: match[0] if match[1] else "one thousand", read)
        return read if _keeps_words(text, read) else None

    def _engine(self, language: str) -> Callable[[str], str] | None:
        if language not in self._engines:
            self._engines[language] = _wetext(language)
        return self._engines[language]


def _wetext(language: str) -> Callable[[str], str] | None:
    try:
        from wetext import Normalizer
    except ImportError:
        log.warning("wetext is not installed: numbers are read by the engine itself")
        return None
    engine: Any = Normalizer(lang=language, operator="tn")
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
        yield text[end : match.start()], language
        yield match[0], other
        end = match.end()
    yield text[end:], language


def _prepared(text: str, language: str) -> str:
    """The text without the spellings that wetext misreads."""
    for pattern, better in _BETTER[language]:
        text = pattern.sub(better, text)
    return text


def _in_cents(match: re.Match[str]) -> str:
    """$20.50 as "$20 50 cents"."""
    sign, whole, cents = match.groups()
    parts = [f"{sign}{whole}"] if whole.strip("0") or not int(cents) else []
    if int(cents):
        unit = ("penny" if int(cents) == 1 else "pence") if sign == "£" else ("cent" if int(cents) == 1 else "cents")
        parts.append(f"{int(cents)} {unit}")
    return " ".join(parts)


_DECADES = ("", "tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_YEAR = r"(?:1[5-9]|20)\d\d"
_BETTER: dict[str, list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]] = {
    "en": [
        (re.compile(r"\b(1\d|20)([1-9])0s\b"), lambda match: f"{match[1]} {_DECADES[int(match[2])]}"),
        (re.compile(rf"\b({_YEAR}) ?[-–] ?(?={_YEAR}\b)"), r"\1 to "),
        (re.compile(r"(?<=\d)-(?=[$£€]\d)"), " to "),
        (re.compile(r"([$£€])(\d[\d,]*)\.(\d\d)(?!\.?\d)(?! (?:thousand|[mbt]r?illion)\b)"), _in_cents),
        (re.compile(r"(?<![\d,.])([1-9])000(?![,.]?\d)"), r"\1,000"),  # 1000 is not ten hundred
        (re.compile(r"\b[Nn]o\.\s*(?=\d)|#(?=\d)"), "number "),
        (re.compile(r"\b(\d{3})-(\d{4})\b"), lambda match: " ".join(match[1] + match[2])),
        (re.compile(r"\b([vV])(?=\d)"), r"\1 "),  # v2.0
    ],
}


def _keeps_words(text: str, read: str) -> bool:
    """Whether the reading still has every Chinese character and, perhaps written out, every longer word."""
    if text and not read.strip():
        return False
    if Counter(_CHINESE.findall(text)) - Counter(_CHINESE.findall(read)):
        return False
    words = set(re.findall(r"[a-z]{4,}", text.lower()))
    read_words = set(re.findall(r"[a-z]+", read.lower()))
    initials = {word[0] for word in read_words - words}  # Expy is read as Expressway
    return all(word in read_words or word[0] in initials for word in words)
