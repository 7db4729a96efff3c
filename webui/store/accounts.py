"""Owners: whose the jobs are. In open mode a browser's cookie is an owner; `api` and `local` are shared names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from webui.store import audit
from webui.store.database import Database
from webui.store.rows import OwnerRow, build, columns, now_ms
from webui.store.schema import hotword_lists, jobs, owners, voices
from webui.store.search import fill_index

NOBODY = 0  # the owner of nothing: whoever has written nothing yet
SEEN_EVERY_MS = 3_600_000  # `last_seen` is written at most once an hour


class AccountStore:
    """Owners by cookie or by shared name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_token(self, token_hash: str) -> OwnerRow:
        """The owner of a browser's cookie (`token_hash`: its SHA-256 in hex), made with the first thing it writes."""
        return self._find_or_make(owners.c.token_hash, token_hash)

    def by_name(self, name: str) -> OwnerRow:
        """The shared owner `api` or `local`, made at first use."""
        return self._find_or_make(owners.c.name, name)

    def find_token(self, token_hash: str) -> OwnerRow | None:
        return self._find(owners.c.token_hash, token_hash)

    def find_name(self, name: str) -> OwnerRow | None:
        return self._find(owners.c.name, name)

    def adopt(self, new_owner: int, old_owner: int) -> int:
        """Give what one owner has to another: jobs (in the search index too), voices, lists; the number of jobs."""
        with self._database.write() as connection:
            moved = connection.execute(update(jobs).where(jobs.c.owner_id == old_owner).values(owner_id=new_owner))
            connection.execute(update(voices).where(voices.c.owner_id == old_owner).values(owner_id=new_owner))
            mine = hotword_lists.c.owner_id == old_owner  # a list whose name both have stays where it is
            connection.execute(update(hotword_lists).prefix_with("OR IGNORE").where(mine).values(owner_id=new_owner))
            fill_index(connection)
            audit.record(connection, "owner.adopt", "", new_owner, old_owner=old_owner, jobs=moved.rowcount)
            return moved.rowcount

    def _find(self, column: Column[Any], value: str) -> OwnerRow | None:
        with self._database.read() as connection:
            row = connection.execute(_select().where(column == value)).one_or_none()
            return None if row is None else build(OwnerRow, row)

    def _find_or_make(self, column: Column[Any], value: str) -> OwnerRow:
        found = self._find(column, value)
        if found is not None and now_ms() - found.last_seen < SEEN_EVERY_MS:
            return found
        with self._database.write() as connection:
            at = now_ms()
            made = upsert(owners).values({column.key: value, "created_at": at, "last_seen": at})
            connection.execute(made.on_conflict_do_update(index_elements=[column], set_={"last_seen": at}))
            return build(OwnerRow, connection.execute(_select().where(column == value)).one())


def _select() -> Any:
    return select(*columns(owners, OwnerRow))
