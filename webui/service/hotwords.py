"""Saved hotword lists: each owner's own, cleaned as those of a job are."""

from __future__ import annotations

from collections.abc import Sequence

from webui.errors import UserError
from webui.service.views import HotwordList
from webui.service.wording import message
from webui.store.hotwords import HotwordStore
from webui.text import hotwords

MOST_LISTS = 100  # per owner
MOST_NAME = 100  # characters


class HotwordService:
    def __init__(self, store: HotwordStore) -> None:
        self._store = store

    def all(self, owner_id: int) -> list[HotwordList]:
        """The owner's lists by name."""
        return [HotwordList(name=row.name, words=list(row.words)) for row in self._store.all(owner_id)]

    def get(self, owner_id: int, name: str) -> HotwordList:
        """Raises NOT_FOUND."""
        for found in self.all(owner_id):
            if found.name == name:
                return found
        raise UserError("NOT_FOUND")

    def keep(self, owner_id: int, name: str, words: Sequence[str], language: str = "zh") -> HotwordList:
        """Write a list, in the place of one of that name; the answer is what is kept, with what was left out of it.

        Raises INVALID_FIELD for a name that is none, HOTWORD_LISTS_FULL.
        """
        name = name.strip()
        if not name or len(name) > MOST_NAME or not name.isprintable():
            raise UserError("INVALID_FIELD", param="name", field="name", reason=f"1 … {MOST_NAME}")
        kept, remarks = hotwords.clean(words)
        self._store.keep(owner_id, name, kept, MOST_LISTS)
        warnings = [message(remark, language) for remark in remarks]
        return HotwordList(name=name, words=list(kept), warnings=warnings)

    def delete(self, owner_id: int, name: str) -> None:
        """Raises NOT_FOUND."""
        if not self._store.delete(owner_id, name):
            raise UserError("NOT_FOUND")
