"""Saved hotword lists: each owner's own, cleaned as those of a job are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webui.errors import Notice, UserError
from webui.store.hotwords import HotwordStore
from webui.text import hotwords

MOST_LISTS = 100  # per owner
MOST_NAME = 100  # characters


@dataclass(frozen=True)
class KeptHotwords:
    """A list as it is kept; `left_out` says what was not taken into it just now."""

    name: str
    words: Sequence[str]
    left_out: Sequence[Notice] = ()


class HotwordService:
    def __init__(self, store: HotwordStore) -> None:
        self._store = store

    def all(self, owner_id: int) -> list[KeptHotwords]:
        """The owner's lists by name."""
        return [KeptHotwords(row.name, row.words) for row in self._store.all(owner_id)]

    def get(self, owner_id: int, name: str) -> KeptHotwords:
        """Raises NOT_FOUND."""
        for found in self.all(owner_id):
            if found.name == name:
                return found
        raise UserError("NOT_FOUND")

    def keep(self, owner_id: int, name: str, words: Sequence[str]) -> KeptHotwords:
        """Write a list, in the place of one of that name; the answer is what is kept, with what was left out of it.

        Raises INVALID_FIELD for a name that is none, HOTWORD_LISTS_FULL.
        """
        name = name.strip()
        if not name or len(name) > MOST_NAME or not name.isprintable():
            raise UserError("INVALID_FIELD", param="name", field="name", reason=f"1 … {MOST_NAME}")
        kept, left_out = hotwords.clean(words)
        self._store.keep(owner_id, name, kept, MOST_LISTS)
        return KeptHotwords(name, kept, left_out)

    def delete(self, owner_id: int, name: str) -> None:
        """Raises NOT_FOUND."""
        if not self._store.delete(owner_id, name):
            raise UserError("NOT_FOUND")
