"""Where hotwords stand in a text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Hit:
    """A hotword in a text: `text[start:end]` is `word`; `heard` is what the model wrote, where it was corrected."""

    word: str
    start: int
    end: int
    heard: str | None = None


def find(text: str, hotwords: Sequence[str]) -> tuple[Hit, ...]:
    """Where `hotwords` stand in `text` as they are (Latin ones in any case), longest first, without overlap."""
    taken = [False] * len(text)
    lowered = text.lower() if len(text.lower()) == len(text) else text
    hits: list[Hit] = []
    present = [word for word in hotwords if word and word.lower() in lowered]
    for word in sorted(present, key=len, reverse=True):
        for match in re.finditer(re.escape(word.lower()), lowered):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * len(match[0])
                hits.append(Hit(word, match.start(), match.end()))
    return tuple(sorted(hits, key=lambda hit: hit.start))


def with_heard(hits: Sequence[Hit], text: str, raw: str) -> tuple[Hit, ...]:
    """`hits` in `text` with what stood in their place in `raw`, where that was something of the same sound or spelling.

    `raw` is the text before correction, ITN and edits.
    """
    if all(text.count(word) <= raw.count(word) for word in {hit.word for hit in hits}):
        return tuple(hits)
    places = _places(text, raw)
    return tuple(replace(hit, heard=_heard(hit, raw, places)) for hit in hits)


def _places(text: str, raw: str) -> list[int | None]:
    """Per character of `text`, where it or what it replaced one for one stands in `raw`."""
    places: list[int | None] = [None] * len(text)
    matcher = difflib.SequenceMatcher(None, text, raw, autojunk=False)
    for kind, first, last, raw_first, raw_last in matcher.get_opcodes():
        if kind == "equal" or last - first == raw_last - raw_first:
            places[first:last] = range(raw_first, raw_last)
    return places


def _heard(hit: Hit, raw: str, places: Sequence[int | None]) -> str | None:
    first, last = places[hit.start], places[hit.end - 1]
    if first is None or last is None:
        return None
    heard = raw[first : last + 1]
    same_letters = _letters(heard) == _letters(hit.word)
    if heard == hit.word or not (same_letters or (len(heard) == len(hit.word) and heard.isalpha())):
        return None
    return heard


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()
