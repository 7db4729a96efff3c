"""Saved hotword lists, each owner's own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from webui.errors import UserError
from webui.store.database import Database
from webui.store.rows import HotwordListRow, build, columns, now_ms
from webui.store.schema import hotword_lists


class HotwordStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, owner_id: int) -> list[HotwordListRow]:
        """The owner's lists by name."""
        query = select(*columns(hotword_lists, HotwordListRow)).where(hotword_lists.c.owner_id == owner_id)
        with self._database.read() as connection:
            return [build(HotwordListRow, row) for row in connection.execute(query.order_by(hotword_lists.c.name))]

    def keep(self, owner_id: int, name: str, words: Sequence[str], most: int) -> None:
        """Write a list, in the place of one of that name. Raises UserError HOTWORD_LISTS_FULL beyond `most` lists."""
        count = select(func.count()).where(hotword_lists.c.owner_id == owner_id, hotword_lists.c.name != name)
        values = {"words": list(words), "changed_at": now_ms()}
        made = insert(hotword_lists).values(owner_id=owner_id, name=name, **values)
        with self._database.erase() as connection:  # of what the list held before
            if connection.execute(count).scalar_one() >= most:
                raise UserError("HOTWORD_LISTS_FULL", most=most)
            connection.execute(made.on_conflict_do_update(index_elements=["owner_id", "name"], set_=values))

    def delete(self, owner_id: int, name: str) -> bool:
        """Whether there was one."""
        here = (hotword_lists.c.owner_id == owner_id) & (hotword_lists.c.name == name)
        with self._database.erase() as connection:
            return bool(connection.execute(delete(hotword_lists).where(here)).rowcount)
