"""What an administrator sets while the program runs: default models, device, lexicon (key → JSON value)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from webui.store import audit
from webui.store.database import Database
from webui.store.schema import settings


class OptionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Any]:
        with self._database.read() as connection:
            rows = connection.execute(select(settings.c.key, settings.c.value))
            return {row.key: row.value for row in rows}

    def set(self, values: Mapping[str, Any], owner_id: int | None = None) -> None:
        """Write the given keys; the others stay."""
        with self._database.write() as connection:
            for key, value in values.items():
                set_option(connection, key, value)
            audit.record(connection, "settings.change", "", owner_id, values=dict(values))


def set_option(connection: Connection, key: str, value: Any) -> None:
    changed = connection.execute(update(settings).where(settings.c.key == key).values(value=value))
    if not changed.rowcount:
        connection.execute(insert(settings).values(key=key, value=value))
