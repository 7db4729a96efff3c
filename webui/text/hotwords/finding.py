"""Where hotwords stand in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


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
