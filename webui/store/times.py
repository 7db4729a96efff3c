"""Columns of times: whole milliseconds in the database, seconds in the rows and above."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, Dialect, Integer
from sqlalchemy.types import TypeDecorator

from webui.text.transcript import TimedWord


class SecondsColumn(TypeDecorator[float]):
    """A time, or NULL."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: float | None, _dialect: Dialect) -> int | None:
        return None if value is None else _ms(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> float | None:
        return None if value is None else value / 1000


class TimedWordsColumn(TypeDecorator[tuple[TimedWord, ...]]):
    """Words with their times, as [[text, start in ms, end in ms, confidence or null]]."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[TimedWord] | None, _dialect: Dialect) -> list[list[Any]]:
        return [[word.text, _ms(word.start), _ms(word.end), word.confidence] for word in value or ()]

    def process_result_value(self, value: Iterable[Sequence[Any]] | None, _dialect: Dialect) -> tuple[TimedWord, ...]:
        return tuple(
            TimedWord(text, start / 1000, end / 1000, confidence) for text, start, end, confidence in value or ()
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
