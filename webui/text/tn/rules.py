"""Small named rules that read a text aloud: which one is tried where, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

REACH = 20  # characters that a rule may look back


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


@dataclass(frozen=True)
class Rule:
    """What `source` matches is said as `read` says, where `before` (if any) stands directly in front of it.

    `read` may decline (None). Every pattern must be bounded, or take all that it looks at: texts are long.
    """

    name: str
    why: str
    source: str
    read: Callable[[re.Match[str]], str | None]
    before: str = ""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Compiled when first used: a program that never speaks need not wait for it."""
        return re.compile(self.source)

    @cached_property
    def _before(self) -> re.Pattern[str]:
        return re.compile(f"(?:{self.before})$")

    def apply(self, text: str, at: int) -> tuple[int, str] | None:
        """Where the match at `at` ends, and its reading; None where there is none."""
        match = self._pattern.match(text, at)
        if match is None or match.end() == at:
            return None
        if self.before and not self._before.search(text, max(0, at - REACH), at):
            return None
        said = self.read(match)
        return None if said is None else (match.end(), said)


@dataclass(frozen=True)
class Reader:
    """Tries `rules` in order wherever `start` matches; what no rule reads stays as it is."""

    start: re.Pattern[str]
    rules: Sequence[Rule]

    def read(self, text: str) -> str:
        parts: list[str] = []
        done = position = 0
        while begin := self.start.search(text, position):
            found = self._first(text, begin.start())
            if found is None:
                position = begin.end()
                continue
            parts += [text[done : begin.start()], found[1]]
            done = position = found[0]
        return "".join([*parts, text[done:]])

    def _first(self, text: str, at: int) -> tuple[int, str] | None:
        return next((found for rule in self.rules if (found := rule.apply(text, at))), None)
