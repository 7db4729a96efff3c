"""Cutting a text into the sentences that are spoken one by one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from webui.text.pronunciation import MARK, is_initial, is_speech, without_marks

Spoken = Literal["zh", "en"]

MOST: dict[Spoken, int] = {"zh": 80, "en": 300}  # characters of a sentence
LEAST: dict[Spoken, int] = {"zh": 4, "en": 10}  # letters and digits; a shorter sentence joins its neighbour

_CHINESE = re.compile("[㐀-鿿豈-\ufaff\U00020000-\U000323af]")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CLOSERS = r"[\"'”’」』）)】》〉\]}]*"
_END = re.compile(rf"(?:[。！？；…!?]+|\.+(?={_CLOSERS}(?:\s|$|[㐀-鿿]))){_CLOSERS}|\n\s*")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|vol|no|fig|inc|ltd|co|corp|dept|approx|gen|col|sgt|capt|rev|cf|al"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|a\.m|p\.m|e\.g|i\.e|ph\.d)\.$|(?:^|[\s(.])[a-z]\.$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\s*[a-z]")
_SPACE, _WIDE_SPACE = re.compile(r"\s*"), re.compile(r"\s{3,}")
# Where a sentence that is too long may be cut, the best first.
_PAUSES = (re.compile(rf"(?:[，、：—]|[,;:](?!\d))+{_CLOSERS}"), re.compile(r"\s+"), _CHINESE)


@dataclass(frozen=True)
class Sentence:
    """A part of the text as it was written, and the language of most of it.

    The last sentence of a paragraph ends in a line break, unless nothing follows: what joins them pauses longer.
    """

    text: str
    language: Spoken


def split(text: str, default: Spoken = "zh") -> list[Sentence]:
    """The sentences of `text` in order; together they hold every character but white space.

    They end at sentence marks and line breaks and never within a pronunciation mark; one longer than MOST is cut at
    its pauses, one that is very short joins its neighbour, if it can be of its own paragraph. A text with nothing to
    say has none. `default` is the language of a sentence that shows none of its own, such as a number at the start.
    """
    if not speakable(text):
        return []
    text = _WIDE_SPACE.sub(lambda space: "\n" if "\n" in space[0] else " ", text)
    marks = _marks(text)
    pieces: list[tuple[int, int]] = []
    for start, end in _whole_sentences(text, marks):
        pieces.extend(_cut(text, start, end, marks))
    sentences: list[Sentence] = []
    language = default
    for start, end in _joined(text, pieces):
        sentence = text[start:end].strip()
        language = dominant_language(sentence, language)
        sentences.append(Sentence(sentence + "\n" if _ends_paragraph(text, start, end) else sentence, language))
    return sentences


def whole_sentences(text: str) -> list[str]:
    """The sentences of `text` as long or short as they are."""
    return [part for start, end in _whole_sentences(text, []) if (part := text[start:end].strip())]


def halves(text: str) -> list[str]:
    """A sentence in two at a pause near its middle; in one where a half would have nothing to say."""
    middle = _outside(_pause(text, 0, len(text) * 2 // 3), _marks(text))
    parts = [text[:middle].strip(), text[middle:].strip()]
    return parts if all(map(speakable, parts)) else [text]


def speakable(text: str) -> bool:
    """Whether there is a word, a number or a pronunciation mark to say."""
    return any(map(str.isalnum, without_marks(text))) or any(is_speech(match) for match in MARK.finditer(text))


def dominant_language(text: str, default: Spoken = "zh") -> Spoken:
    """zh where there are at least as many Chinese characters as words of Latin letters, else en."""
    plain = without_marks(text)
    chinese = len(_CHINESE.findall(plain))
    words = len(_WORD.findall(_CHINESE.sub(" ", plain)))
    if not chinese and not words:
        marks = [match[0] for match in MARK.finditer(text) if is_speech(match)]
        return default if not marks else ("en" if marks[0].isupper() else "zh")
    return "zh" if chinese >= words else "en"


def _marks(text: str) -> list[tuple[int, int]]:
    """The spans that no cut may divide: marks, an initial together with its final."""
    spans: list[tuple[int, int]] = []
    joins = False
    for match in MARK.finditer(text):
        start = spans.pop()[0] if joins and spans[-1][1] == match.start() else match.start()
        spans.append((start, match.end()))
        joins = is_initial(match)
    return spans


def _outside(position: int, marks: list[tuple[int, int]]) -> int:
    """`position`, or the start of the mark that it lies within."""
    index = bisect_right(marks, (position,)) - 1
    return marks[index][0] if index >= 0 and marks[index][1] > position else position


def _whole_sentences(text: str, marks: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if _outside(end, marks) == end and _ends_sentence(text, match):
            yield start, end
            start = end
    if start < len(text):
        yield start, len(text)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Not an abbreviation's dot, nor dots or a line break after which the sentence goes on in small letters."""
    dots = match[0].startswith(".")
    if not dots and not match[0].isspace():
        return True
    if _GOES_ON.match(text, match.end()):
        return False
    return match[0].isspace() or not _ABBREVIATION.search(text[max(0, match.start() - 12) : match.end()])


def _cut(text: str, start: int, end: int, marks: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The span in pieces of at most MOST characters."""
    most = MOST[dominant_language(text[start:end])]
    while end - start > most:
        middle = max(_outside(_pause(text, start, start + most), marks), start + 1)
        yield start, middle
        start = middle
    yield start, end


def _pause(text: str, start: int, limit: int) -> int:
    """The best place to cut in the last two thirds before `limit`."""
    earliest = start + (limit - start) // 3
    for pause in _PAUSES:
        ends = (match.end() for match in pause.finditer(text, earliest, limit + 1))  # a look at what follows
        places = [end for end in ends if end <= limit]
        if places:
            return places[-1]
    return limit


def _joined(text: str, pieces: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Very short pieces joined to the next one, at the end of a paragraph or of all to the one before."""
    done: list[tuple[int, int]] = []
    start, said = pieces[0][0], ""
    for begin, end in pieces:
        said += text[begin:end] if speakable(text[begin:end]) else ""
        if not _is_short(said):
            done.append((start, end))
            start, said = end, ""
        elif done and _ends_paragraph(text, start, end) and not _ends_paragraph(text, *done[-1]):
            done[-1] = (done[-1][0], end)
            start, said = end, ""
    if start < len(text):
        first = done.pop()[0] if done else start
        done.append((first, len(text)))
    yield from done


def _ends_paragraph(text: str, start: int, end: int) -> bool:
    """Whether a line break follows the span; before small letters it only wraps a line, at the end it ends nothing."""
    last = text[max(start, end - 3) : end]  # wider white space is no more
    after = end - len(last) + len(last.rstrip())
    space = _SPACE.match(text, after)
    assert space is not None
    return "\n" in space[0] and space.end() < len(text) and not _GOES_ON.match(text, after)


def _is_short(text: str) -> bool:
    letters = sum(map(str.isalnum, without_marks(text))) + sum(2 for match in MARK.finditer(text) if is_speech(match))
    return letters < LEAST[dominant_language(text)]
