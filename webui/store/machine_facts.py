"""What the program has found out about this machine and keeps for its next start: rows of the settings table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from webui.store.database import Database
from webui.store.options import set_option
from webui.store.schema import settings


class MachineFacts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, key: str) -> Mapping[str, Any] | None:
        with self._database.read() as connection:
            return connection.execute(select(settings.c.value).where(settings.c.key == key)).scalar_one_or_none()

    def save(self, key: str, value: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            set_option(connection, key, dict(value))
