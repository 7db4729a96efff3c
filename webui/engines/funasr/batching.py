"""Which segments go through a model together, and cutting what is too long for its attention."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from webui.audio.cutting import quietest
from webui.audio.units import Seconds
from webui.engines.base import Recognition, Waveform, Word

LONGEST = 30.0  # seconds; attention costs the square of it, and Fun-ASR-Nano stops after 512 tokens
_SEARCH = 2.0  # seconds on either side of an even cut in which the quietest place is taken
_WORST_PADDING = 1.25  # the longest of a batch is at most so much longer than the shortest


def buckets(seconds: Sequence[float], most: float) -> list[list[int]]:
    """Indices grouped by similar length, each group padded to at most `most` seconds in all, short ones first.

    `most` 0 = one at a time, which is best on a CPU.
    """
    order = sorted(range(len(seconds)), key=lambda index: seconds[index])
    groups: list[list[int]] = []
    for index in order:
        group = groups[-1] if groups else []
        fits = group and seconds[index] * (len(group) + 1) <= most
        if fits and seconds[index] <= max(seconds[group[0]] * _WORST_PADDING, 1.0):
            group.append(index)
        else:
            groups.append([index])
    return groups


def cut(waveform: Waveform, longest: Seconds = LONGEST) -> list[Waveform]:
    """Pieces of at most about `longest` seconds, cut where it is quietest near even places."""
    count = int(np.ceil(waveform.seconds / longest))
    if count <= 1:
        return [waveform]
    search = int(_SEARCH * waveform.rate)
    places = [0]
    for number in range(1, count):
        first = len(waveform.samples) * number // count - search
        places.append(first + quietest(waveform.samples[first : first + 2 * search], waveform.rate))
    places.append(len(waveform.samples))
    return [Waveform(waveform.samples[a:b], waveform.rate) for a, b in pairwise(places)]


def join(pieces: Sequence[Waveform], results: Sequence[Recognition]) -> Recognition:
    """The results of the pieces of one segment as one."""
    if len(results) == 1:
        return results[0]
    starts = accumulate((piece.seconds for piece in pieces), initial=0.0)
    words = tuple(
        Word(word.text, word.start + start, word.end + start, word.confidence)
        for start, result in zip(starts, results, strict=False)
        for word in result.words
    )
    scores = [result.confidence for result in results if result.confidence is not None]
    return Recognition(
        text=_joined([result.text for result in results]),
        text_raw=_joined([result.text_raw for result in results]),
        language=next((result.language for result in results if result.language), None),
        words=words,
        confidence=float(np.mean(scores)) if scores else None,
    )


def _joined(texts: Sequence[str]) -> str:
    """Texts one after the other, with a space only where both sides are Latin."""
    joined = ""
    for text in filter(None, texts):
        spaced = joined and joined[-1].isascii() and text[0].isascii() and not joined[-1].isspace()
        joined += f" {text}" if spaced else text
    return joined
