"""A finished transcript as the writers of subtitles and documents take it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Scripts written without spaces, and their full-width punctuation.
WIDE = re.compile(
    r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
_NO_SPACE = re.compile(
    r"[\u2e80-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)


class TimedWord(NamedTuple):
    """A word or character, seconds from the start of the recording; `confidence`: 0 … 1."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class TranscriptSegment:
    """What was said between two times (seconds). `words`: empty where the model gives none."""

    start: float
    end: float
    text: str
    speaker: str | None = None
    words: Sequence[TimedWord] = ()


@dataclass(frozen=True)
class Transcript:
    """`facts`: (name, value) pairs worded for the reader: file, time, model, SHA-256 …

    `columns`: the headings of a table of its segments.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    segments: tuple[TranscriptSegment, ...]
    columns: tuple[str, str, str, str] = ("start", "end", "speaker", "text")


def join_texts(texts: Sequence[str]) -> str:
    """Texts one after the other, with a space only where the script has spaces."""
    joined = ""
    for text in texts:
        text = text.strip()
        needs_space = joined and text and not _NO_SPACE.match(text) and not _NO_SPACE.match(joined[-1])
        joined += (" " if needs_space else "") + text
    return joined
