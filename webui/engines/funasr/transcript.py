"""From a model's tokens to text and words with times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.engines.base import Word

_TAG = re.compile(r"<\|([^|<>]*)\|>")
_CHINESE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_BETWEEN_CHINESE = re.compile(rf"(?<=[{_CHINESE}，。！？、；：])\s+(?=[{_CHINESE}，。！？、；：])")
_WORD = re.compile(rf"[{_CHINESE}]|[^\s{_CHINESE}，。！？、；：,.!?;:\"“”()（）《》]+")
_PUNCTUATION = re.compile(r"[^\w\u3400-\u9fff]+")

LANGUAGES = frozenset({"zh", "en", "yue", "ja", "ko"})


@dataclass(frozen=True)
class Token:
    """A token that CTC said, its frames [start, end) and the mean log probability."""

    id: int
    start: int
    end: int
    score: float


def greedy_ctc(best: NDArray[np.int64], scores: NDArray[np.float32], blank: int) -> list[Token]:
    """Runs of equal best tokens without the blanks. `best`, `scores`: (frames,).

    The frames of a run are also its best alignment: no other path is likelier at any frame.
    """
    if len(best) == 0:
        return []
    starts = np.flatnonzero(np.diff(best, prepend=best[0] - 1))
    ends = np.append(starts[1:], len(best))
    return [
        Token(int(best[start]), int(start), int(end), float(scores[start:end].mean()))
        for start, end in zip(starts, ends, strict=True)
        if best[start] != blank
    ]


def align(log_probabilities: NDArray[np.float32], ids: Sequence[int], blank: int) -> list[tuple[int, int]]:
    """The likeliest frames [start, end) of each token of `ids`; none where there are fewer frames than tokens.

    `log_probabilities`: (frames, vocabulary). The Viterbi path through token, blank, token … (Graves et al. 2006).
    """
    frames, count = len(log_probabilities), len(ids)
    repeats = sum(first == second for first, second in pairwise(ids))
    if count == 0 or frames < count + repeats:
        return []
    states = np.full(2 * count + 1, blank)
    states[1::2] = ids
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    emitted = log_probabilities[:, states]
    best = np.full(len(states), -np.inf)
    best[:2] = emitted[0, :2]
    steps = np.zeros((frames, len(states)), np.int8)
    for frame in range(1, frames):
        moved = np.stack([best, _shifted(best, 1), np.where(skips, _shifted(best, 2), -np.inf)])
        steps[frame] = moved.argmax(axis=0)
        best = moved.max(axis=0) + emitted[frame]
    return _frames_of(steps, len(states) - 1 if best[-1] >= best[-2] else len(states) - 2, count)


def _shifted(values: NDArray[Any], places: int) -> NDArray[Any]:
    return np.concatenate([np.full(places, -np.inf), values[:-places]])[: len(values)]


def _frames_of(steps: NDArray[np.int8], state: int, count: int) -> list[tuple[int, int]]:
    """Follow the path back from `state`: the frames that each token holds."""
    spans = [(0, 0)] * count
    for frame in range(len(steps) - 1, -1, -1):
        if state % 2:
            spans[state // 2] = (frame, spans[state // 2][1] or frame + 1)
        state -= int(steps[frame, state])
    return spans


def strip_tags(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without <|…|>, and the tags in order."""
    return tidy(_TAG.sub("", text)), tuple(_TAG.findall(text))


def tidy(text: str) -> str:
    """No spaces between Chinese characters, single ones elsewhere."""
    return _BETWEEN_CHINESE.sub("", " ".join(text.split()))


def language_of(tags: Sequence[str]) -> str | None:
    return next((tag for tag in tags if tag in LANGUAGES), None)


def words_of(text: str) -> list[str]:
    """The units that get times: single Chinese characters, words of other scripts, no punctuation."""
    return [word for word in _WORD.findall(text) if not _PUNCTUATION.fullmatch(word)]


def words_from_pieces(pieces: Sequence[tuple[str, float, float, float]]) -> tuple[Word, ...]:
    """SentencePiece pieces (piece, start, end, log probability) as words; `▁` opens one, punctuation is left out."""
    words: list[Word] = []
    open_latin = False
    for piece, start, end, score in pieces:
        text = piece.removeprefix("▁")
        if not text or _TAG.fullmatch(text) or _PUNCTUATION.fullmatch(text):
            open_latin = False
            continue
        latin = text.isascii()
        if latin and open_latin and not piece.startswith("▁"):
            before = words.pop()
            text, start = before.text + text, before.start
        open_latin = latin
        words.append(Word(text, start, end, float(np.exp(score))))
    return tuple(words)


def words_from_times(text: str, times: Sequence[Sequence[float]]) -> tuple[Word, ...]:
    """Words of `text` with `times` in ms, one each; none where the model gave another number of times."""
    words = words_of(text)
    if len(words) != len(times):
        return ()
    return tuple(
        Word(word, max(0.0, start / 1000), max(0.0, end / 1000))
        for word, (start, end, *_) in zip(words, times, strict=True)
    )
