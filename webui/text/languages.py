"""Tags of languages (BCP 47)."""

from __future__ import annotations

from collections.abc import Iterable


def primary(tag: str) -> str:
    """The language without its region or script: `zh-CN` → `zh`."""
    return tag.split("-")[0].lower()


def is_among(tag: str, known: Iterable[str]) -> bool:
    """Whether the language of `tag` is one of `known`; regional variants count as their language."""
    return primary(tag) in map(primary, known)
