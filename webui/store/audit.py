"""The audit log: one row per transition, written in the transaction that makes it; triggers keep it append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from webui.store.database import Database
from webui.store.rows import build, columns, now_ms
from webui.store.schema import audit


@dataclass(frozen=True)
class AuditRow:
    """`object` is the uid of the job or voice; `owner_id` whoever acted, None = the program itself."""

    id: int
    at: int
    owner_id: int | None
    action: str
    object: str
    detail: Mapping[str, Any]


def record(connection: Connection, action: str, object_uid: str, owner_id: int | None = None, **detail: Any) -> None:
    """Add a row to the caller's transaction. `detail` never holds text or names that a deletion must remove."""
    connection.execute(
        insert(audit).values(at=now_ms(), owner_id=owner_id, action=action, object=object_uid, detail=detail)
    )


class AuditLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, *, before: int | None = None, object_uid: str | None = None, limit: int = 100) -> list[AuditRow]:
        """The newest rows first, below id `before`."""
        query = select(*columns(audit, AuditRow)).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        if object_uid is not None:
            query = query.where(audit.c.object == object_uid)
        with self._database.read() as connection:
            return [build(AuditRow, row) for row in connection.execute(query)]
