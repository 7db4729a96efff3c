"""Inverse text normalisation: spoken Chinese numbers into written ones (二零二五年 → 2025年), by rules of our own.

The style is that of Chinese records: 2025年11月20日, 下午3:25, 30%, 123块5, 3~5个人; what is not surely a number
stays as it was said. Every output character knows the input it came from, so that word times survive. Other
languages pass through unchanged. `docs/itn.md` lists the style and where it differs from other suites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webui.text.itn.numbers import NUMERALS, VARIANTS, canonical
from webui.text.itn.rules import RULES, START, joins_next_numeral
from webui.text.itn.words import KEPT

_KEPT = re.compile("|".join(KEPT))
_NUMERAL_RUN = re.compile(f"[{NUMERALS}]+")
_MASK = "\ue000"


@dataclass(frozen=True)
class Span:
    """`output[start:end]` was written for `source[source_start:source_end]`; equal text where `kept`."""

    start: int
    end: int
    source_start: int
    source_end: int
    kept: bool


def apply(text: str) -> str:
    """`text` with its numbers in digits. Never empty for a text that is not."""
    return with_spans(text)[0]


def with_spans(text: str) -> tuple[str, tuple[Span, ...]]:
    """`apply`, and the spans that tile both texts from end to end, in order."""
    pieces: list[str] = []
    spans: list[Span] = []
    for start, end, written in _tiles(text):
        at = spans[-1].end if spans else 0
        piece = text[start:end] if written is None else written
        pieces.append(piece)
        spans.append(Span(at, at + len(piece), start, end, written is None))
    return "".join(pieces), tuple(spans)


def regroup(pieces: Sequence[str], source: str) -> list[tuple[str, int, int]]:
    """Carry the pieces of `source` (words with times) over to `apply(source)`: (written, first, last + 1).

    `first` and `last` index `pieces`, each of which must occur in `source` in order (spaces and punctuation
    between them belong to no piece). Pieces under one rewritten number become one.
    """
    text, spans = with_spans(source)
    owners = _owners(pieces, source)
    groups: list[tuple[str, int, int]] = []
    for start, end, written in _written(source, text, spans):
        inside = [owner for owner in owners[start:end] if owner is not None]
        if not inside:
            continue
        first, last = inside[0], inside[-1] + 1
        if groups and first < groups[-1][2]:
            before, opened, _ = groups.pop()
            written, first = before + written, opened
        groups.append((written, first, last))
    return groups


def _owners(pieces: Sequence[str], text: str) -> list[int | None]:
    """Per character of `text`, the index of the piece it belongs to."""
    owners: list[int | None] = [None] * len(text)
    position = 0
    for index, piece in enumerate(pieces):
        at = text.find(piece, position)
        if piece and at >= 0:
            owners[at : at + len(piece)] = [index] * len(piece)
            position = at + len(piece)
    return owners


def _written(source: str, text: str, spans: Sequence[Span]) -> Iterator[tuple[int, int, str]]:
    """Source ranges with what is written for them, kept spans character by character."""
    for span in spans:
        if span.kept:
            for offset in range(span.source_start, span.source_end):
                yield offset, offset + 1, source[offset]
        else:
            yield span.source_start, span.source_end, text[span.start : span.end]


def _tiles(text: str) -> Iterator[tuple[int, int, str | None]]:
    """(start, end, replacement or None where the text is kept), covering `text`."""
    done = 0
    for start, end, written in _rewrites(text):
        if start > done:
            yield done, start, None
        yield start, end, written
        done = end
    if done < len(text):
        yield done, len(text), None


def _rewrites(text: str) -> Iterator[tuple[int, int, str]]:
    plain = _KEPT.sub(lambda phrase: _MASK * len(phrase[0]), canonical(text))
    position = 0
    digits_end = -1
    while begin := START.search(plain, position):
        start = begin.start()
        found = _first_rule(plain, start) if start != digits_end else None
        if found is None:
            position = _skip(plain, begin)
            continue
        position, written = found
        yield start, position, _restore_variants(text[start:position], written)
        digits_end = position if written[-1].isdecimal() else -1


def _first_rule(plain: str, start: int) -> tuple[int, str] | None:
    for rule in RULES:
        match = rule.pattern.match(plain, start)
        if match is None or joins_next_numeral(plain, match.start(), match.end()):
            continue
        written = rule.write(match)
        if written is not None:
            return match.end(), written
    return None


def _skip(plain: str, begin: re.Match[str]) -> int:
    """Behind a numeral that no rule understands: all of it stays, never a part."""
    run = _NUMERAL_RUN.match(plain, begin.start())
    return run.end() if run else begin.end()


def _restore_variants(source: str, written: str) -> str:
    """萬 and 億 stay traditional where they were."""
    spoken = {VARIANTS[character]: character for character in source if character in VARIANTS}
    return "".join(spoken.get(character, character) for character in written)
