"""How likely Chinese characters are as running text: a unigram model over the words of jieba's dictionary.

A text is as likely as its best segmentation into words. The dictionary is read as a data file of the package;
jieba itself is not imported, which would write a cache outside the data folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import numpy.typing as npt

_LONGEST = 4  # characters; longer entries are made of shorter ones
_ROW = np.dtype([("word", f"U{_LONGEST}"), ("count", "f4")])


class WordLikelihood:
    """Log-probabilities of words and texts, in nats. Holds about 7 MB."""

    def __init__(self, rows: npt.NDArray[np.void]) -> None:
        rows = np.sort(rows, order="word")
        self._words = rows["word"].copy()
        self._logs = np.log(rows["count"] / rows["count"].sum(dtype=np.float64))
        self._unknown = float(self._logs.min()) - 1.0

    def word(self, word: str) -> float | None:
        """Of one word; None for one of several characters that the dictionary lacks."""
        at = int(self._words.searchsorted(word))
        if at < len(self._words) and self._words[at] == word:
            return float(self._logs[at])
        return self._unknown if len(word) == 1 else None

    def text(self, text: str) -> float:
        """Of the best segmentation of `text`; 0 for an empty one."""
        best = [0.0] + [-math.inf] * len(text)
        for start in range(len(text)):
            for end in range(start + 1, min(start + _LONGEST, len(text)) + 1):
                word = self.word(text[start:end])
                if word is not None:
                    best[end] = max(best[end], best[start] + word)
        return best[len(text)]


@lru_cache(maxsize=1)
def word_likelihood() -> WordLikelihood:
    """The dictionary's, read once (about a second)."""
    return WordLikelihood(np.fromiter(_entries(), dtype=_ROW))


def _entries() -> Iterator[tuple[str, float]]:
    with Path(str(distribution("jieba").locate_file("jieba/dict.txt"))).open(encoding="utf-8") as lines:
        for line in lines:
            word, count = line.split(" ")[:2]
            if len(word) <= _LONGEST:
                yield word, float(count)
