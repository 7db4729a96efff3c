"""Correcting a transcript by sound, for models that take no hotwords.

A noisy channel decides: what was written is replaced by a hotword of the same sound only where the hotword, expected
once in a few million words and less for every sound that differs, explains the place better than the words do that
stand there. Ordinary words therefore stay, however much they sound like a name on the list; what is no word
gives way.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from webui.text.hotwords.finding import Hit, find
from webui.text.hotwords.sounds import NEAR, OTHER_TONE, SAME, Sound, blurred, differences, sounds
from webui.text.itn.numbers import NUMERALS
from webui.text.likelihood import word_likelihood

LANGUAGES = ("zh", "yue")  # whose words are corrected by sound

_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[A-Za-z0-9]+")
_NUMBER = re.compile(f"[{NUMERALS}点]+")

# In nats, chosen between names that must be restored and common words that must stay (docs/hotwords.md).
_EXPECTED = -16.2  # log-probability of a hotword anywhere
_SHORT_COST = {SAME: 0.0, OTHER_TONE: 5.0}
_LONG_COST = {SAME: 0.0, OTHER_TONE: 1.5, NEAR: 3.0}
_CONTEXT = 4  # characters on either side that may make one word with a part of the window


def correct(text: str, hotwords: Sequence[str]) -> tuple[str, tuple[Hit, ...]]:
    """`text` with what sounds like a hotword replaced by it, and all hits in the new text.

    Chinese words are replaced by as many characters, so that character times still fit: two characters only
    when both sound the same (tones aside), longer words when they nearly do, and none where what stands there is
    likelier. Latin words only for case (where the hotword has capitals) and spaces.
    """
    found = list(find(text, hotwords))
    by_ear = _Heard(text) if any(map(_is_chinese, hotwords)) else None
    for word in sorted(hotwords, key=len, reverse=True):
        windows = by_ear.windows(word) if by_ear and _is_chinese(word) else _latin_windows(text, word)
        found += [window for window in windows if not _overlaps(window, found)]
    return _replace(text, sorted(found, key=lambda hit: hit.start))


def _overlaps(window: Hit, others: Sequence[Hit]) -> bool:
    return any(window.start < other.end and other.start < window.end for other in others)


def _replace(text: str, found: Sequence[Hit]) -> tuple[str, tuple[Hit, ...]]:
    """`text` with the words of `found` in their places, and where those are then."""
    new = ""
    done = 0
    hits: list[Hit] = []
    for window in found:
        heard, word = text[window.start : window.end], window.word
        kept = heard == word or (heard.lower() == word.lower() and word.islower())
        new += text[done : window.start]
        start, done = len(new), window.end
        new += heard if kept else word
        hits.append(Hit(word, start, len(new), None if kept else heard))
    return new + text[done:], tuple(hits)


def _is_chinese(word: str) -> bool:
    return len(word) >= 2 and _CHINESE.fullmatch(word) is not None


@dataclass(frozen=True)
class _Run:
    start: int  # in the text
    text: str
    sounds: Sequence[Sound]


class _Heard:
    """A text by ear: its runs of Chinese characters, and where each sound stands in them."""

    def __init__(self, text: str) -> None:
        self.runs = [_Run(match.start(), match[0], sounds(match[0])) for match in _CHINESE.finditer(text)]
        self._places: defaultdict[str, list[tuple[_Run, int]]] = defaultdict(list)
        for run in self.runs:
            for at, sound in enumerate(run.sounds):
                for reading in blurred(sound):
                    self._places[reading].append((run, at))

    def windows(self, word: str) -> list[Hit]:
        """Without overlap, where the text had better be `word`, from left to right."""
        wanted = sounds(word)
        places = {(run.start + at): (run, at) for reading in blurred(wanted[0]) for run, at in self._places[reading]}
        found: list[Hit] = []
        for start in sorted(places):
            if (not found or start >= found[-1].end) and _earned(*places[start], word, wanted):
                found.append(Hit(word, start, start + len(word)))
        return found


def _earned(run: _Run, start: int, word: str, wanted: Sequence[Sound]) -> bool:
    end = start + len(word)
    if end > len(run.text):
        return False
    how = differences(run.sounds[start:end], wanted)
    cost = None if how is None else _cost(how)
    return cost is not None and _may_give_way(run.text[start:end], word) and _gain(run.text, start, word) > cost


def _cost(how: Sequence[int]) -> float | None:
    """What the differences in sound cost, in nats; None where they are too many for a word of that length."""
    costs = _SHORT_COST if len(how) == 2 else _LONG_COST
    if how.count(NEAR) > len(how) // 3 or any(each not in costs for each in how):
        return None
    return sum(costs[each] for each in how)


def _may_give_way(window: str, word: str) -> bool:
    """Numbers stay, and what is written in traditional characters is not judged by a dictionary of simplified ones."""
    return not _NUMBER.fullmatch(window) and (_is_simplified(window) or not _is_simplified(word))


def _is_simplified(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _gain(run: str, start: int, word: str) -> float:
    """How many nats likelier the place is with `word` in it than as it was written."""
    likely, end = word_likelihood(), start + len(word)
    left, right = run[max(0, start - _CONTEXT) : start], run[end : end + _CONTEXT]
    return likely.text(left) + _EXPECTED + likely.text(right) - likely.text(left + run[start:end] + right)


def _latin_windows(text: str, word: str) -> list[Hit]:
    """Runs of words in `text` that spell `word` but for case, spaces and hyphens (i phone → iPhone)."""
    wanted = "".join(_LATIN.findall(word)).lower()
    if len(wanted) < 3 or _CHINESE.search(word):
        return []
    tokens = list(_LATIN.finditer(text))
    found: list[Hit] = []
    for first, token in enumerate(tokens):
        spelled = ""
        for last in tokens[first : first + len(wanted)]:
            spelled += last[0].lower()
            if spelled == wanted and not re.search(r"[^\s\w-]", text[token.start() : last.end()]):
                found.append(Hit(word, token.start(), last.end()))
            if not wanted.startswith(spelled):
                break
    return found
