"""Pronunciation marks in a text to be spoken: `[h][ào]`, `[hao4]`, `[nǚ]`, `[M][AY0]`, `[breath]`.

The parser serves every engine. A bracket that holds one Latin word (with an optional digit) is a mark and is
checked; anything else in brackets ("[1]", "[注]", "[see below]") is ordinary text.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, Literal

from webui.errors import UserError

INITIALS = frozenset("b p m f d t n l g k h j q x zh ch sh r z c s y w".split())
VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
CONSONANTS = frozenset("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())
EVENTS = frozenset(
    "accent breath clucking cough hissing laughter lipsmack mn noise quick_breath sigh vocalized-noise".split()
)

# Bounded, so that a text full of open brackets is still read in linear time.
MARK = re.compile(r"\[([^\[\]\n]{1,20})\]|<(/?(?:strong|laughter))>")
_WORD = re.compile(r"[a-zāáǎàēéěèīíǐìńňǹḿōóǒòūúǔùüǖǘǚǜ]+[0-9]?", re.IGNORECASE)
_PHONE = re.compile(r"([A-Z]{1,2})([0-2]?)")
_TONE_MARKS = {"\u0304": 1, "\u0301": 2, "\u030c": 3, "\u0300": 4}


@dataclass(frozen=True)
class Syllable:
    """A Mandarin syllable: `base` in pypinyin's spelling (ü as v), `tone` 1 to 5 (5 = neutral)."""

    base: str
    tone: int

    @property
    def initial(self) -> str:
        """The initial as written ("zh", "y" …), "" where there is none."""
        return next((self.base[:n] for n in (2, 1) if self.base[:n] in INITIALS), "")

    @property
    def final(self) -> str:
        """The final as written, with its tone mark: "ào", "ǚ"."""
        return _with_tone_mark(self.base[len(self.initial) :], self.tone)

    def __str__(self) -> str:
        return self.initial + self.final


@dataclass(frozen=True)
class Text:
    """Ordinary text."""

    text: str


@dataclass(frozen=True)
class Pinyin:
    """Adjacent syllables given in pinyin."""

    syllables: tuple[Syllable, ...]


@dataclass(frozen=True)
class Arpabet:
    """Adjacent English phones, a vowel perhaps with its stress: ("M", "AY0")."""

    phones: tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """A sound that is no speech ("breath"), or the start or end of a span ("strong", "/strong")."""

    name: str


Run = Text | Pinyin | Arpabet | Event


def parse(text: str) -> list[Run]:
    """The runs of `text` in order; adjacent marks of a kind are one run.

    Raises UserError UNKNOWN_PRONUNCIATION with the first wrong mark and the nearest legal ones.
    """
    runs: list[Run] = []
    for kind, group in groupby(_pieces(text), key=type):
        pieces: list[Any] = list(group)
        if kind is Text:
            runs.append(Text("".join(piece.text for piece in pieces)))
        elif kind is Syllable:
            runs.append(Pinyin(tuple(pieces)))
        elif kind is str:
            runs.append(Arpabet(tuple(pieces)))
        else:
            runs.extend(pieces)
    return runs


def syllable(written: str) -> Syllable:
    """One syllable from "hao4", "hào" or "hao" (neutral). Raises UserError UNKNOWN_PRONUNCIATION."""
    found = _syllable(written)
    if found is None:
        raise _unknown(written, _nearest_syllables(written))
    return found


def without_marks(text: str) -> str:
    """The ordinary text only; marks, wrong ones too, are taken out."""
    return MARK.sub(lambda match: match[0] if _kind(_token(match)) == "text" else "", text)


def is_mark(match: re.Match[str]) -> bool:
    """Whether a match of MARK is a mark, right or wrong, and not ordinary text in brackets."""
    return _kind(_token(match)) != "text"


def is_initial(mark: re.Match[str]) -> bool:
    """Whether a match of MARK is an initial, which belongs to the mark after it."""
    return _kind(_token(mark)) == "initial"


def is_speech(mark: re.Match[str]) -> bool:
    """Whether a match of MARK is to be spoken: pinyin or ARPAbet."""
    return _kind(_token(mark)) in ("initial", "pinyin", "phone")


def _pieces(text: str) -> Iterator[Text | Syllable | Event | str]:
    """Ordinary text, whole syllables, phones (str) and events, in order."""
    end, initial = 0, ""
    for match in MARK.finditer(text):
        token = _token(match)
        kind = _kind(token)
        if initial and (match.start() > end or kind != "pinyin"):
            raise _dangling(initial)
        if match.start() > end:
            yield Text(text[end : match.start()])
        end = match.end()
        if kind == "text":
            yield Text(match[0])
        elif kind == "event":
            yield Event(token)
        elif kind == "phone":
            yield _checked_phone(token)
        elif kind == "initial":
            initial = token.lower()
        else:
            yield syllable(initial + token)
            initial = ""
    if initial:
        raise _dangling(initial)
    if end < len(text):
        yield Text(text[end:])


def _token(match: re.Match[str]) -> str:
    token = match[1] or match[2]
    return token if token.isascii() else unicodedata.normalize("NFC", token)


@lru_cache(4096)
def _kind(token: str) -> Literal["text", "event", "phone", "initial", "pinyin"]:
    if token in EVENTS or token.endswith(("strong", "laughter")):
        return "event"
    if not _WORD.fullmatch(token):
        return "text"
    if re.fullmatch(r"[A-Z]{1,2}[0-9]?", token):
        return "phone"
    return "initial" if token.lower() in INITIALS else "pinyin"


def _checked_phone(token: str) -> str:
    match = _PHONE.fullmatch(token)
    if match and (match[1] in VOWELS or (match[1] in CONSONANTS and not match[2])):
        return token
    raise _unknown(token, _nearest(token.rstrip("0123456789"), sorted(VOWELS | CONSONANTS)))


@lru_cache(4096)
def _syllable(written: str) -> Syllable | None:
    letters, tones = "", []
    for letter in unicodedata.normalize("NFD", written.lower()):
        if letter in _TONE_MARKS:
            tones.append(_TONE_MARKS[letter])
        elif letter == "\u0308" and letters.endswith("u"):
            letters = letters[:-1] + "v"
        elif letter.isdigit():
            tones.append(int(letter))
        else:
            letters += letter
    base = re.sub(r"^([jqxy])v", r"\1u", letters)
    tone = tones[0] if tones else 5
    return Syllable(base, tone) if len(tones) <= 1 and tone in _legal().get(base, ()) else None


@cache
def _legal() -> dict[str, frozenset[int]]:
    """The tones of every base that pypinyin's dictionary knows.

    Any syllable may be neutral, and a third tone before another one is spoken as a second.
    """
    from pypinyin.constants import PINYIN_DICT

    found: dict[str, set[int]] = {}
    for reading in {reading for readings in PINYIN_DICT.values() for reading in readings.split(",")}:
        spelt = unicodedata.normalize("NFD", reading)
        tone = next((_TONE_MARKS[letter] for letter in spelt if letter in _TONE_MARKS), 5)
        base = re.sub("[\u0300\u0301\u0304\u030c]", "", spelt).replace("u\u0308", "v")
        if re.search("[aeiouv]", base) and base.isascii():
            found.setdefault(base, {5}).update({2, 3} if tone == 3 else {tone})
    return {base: frozenset(tones) for base, tones in found.items()}


def legal_syllables() -> list[Syllable]:
    """Every syllable that a mark may give."""
    return [Syllable(base, tone) for base, tones in sorted(_legal().items()) for tone in sorted(tones)]


def _nearest_syllables(written: str) -> list[str]:
    """The nearest legal syllables, in the spelling (digit or tone mark) that was used."""
    shown = [(f"{one.base}{one.tone}" if written[-1:].isdigit() else str(one)) for one in legal_syllables()]
    return _nearest(written, shown)


def _nearest(token: str, legal: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(token, legal, n=3, cutoff=0.3)


def _dangling(initial: str) -> UserError:
    examples = [str(found) for found in legal_syllables() if found.initial == initial and found.tone == 4]
    return _unknown(initial, [f"{initial}][{example[len(initial) :]}" for example in examples[:3]])


def _unknown(token: str, nearest: Iterable[str]) -> UserError:
    return UserError(
        "UNKNOWN_PRONUNCIATION",
        param="text",
        token=f"[{token}]",
        nearest=" ".join(f"[{one}]" for one in nearest) or "-",
    )


def _with_tone_mark(letters: str, tone: int) -> str:
    """Pinyin orthography: the mark stands on a or e, on the o of ou, else on the last vowel."""
    letters = letters.replace("v", "ü")
    if tone == 5:
        return letters
    place = next((letters.index(vowel) for vowel in ("a", "e", "ou") if vowel in letters), -1)
    if place < 0:
        place = max(letters.rfind(vowel) for vowel in "iouü")
    mark = next(mark for mark, number in _TONE_MARKS.items() if number == tone)
    return unicodedata.normalize("NFC", letters[: place + 1] + mark + letters[place + 1 :])
