"""What a deletion leaves of a row, read from the marks in the schema: nothing here names a column."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete


def blanks(table: Table) -> dict[str, Any]:
    """The table's private columns, each with what takes the place of its value."""
    return {column.name: column.info["blank"] for column in table.columns if "blank" in column.info}


def drop_belongings(connection: Connection, table: Table, row_id: int) -> None:
    """Delete the rows that exist only with row `row_id` of `table`: those that refer to it with ON DELETE CASCADE."""
    for belonging in table.metadata.sorted_tables:
        for key in belonging.foreign_keys:
            if key.column.table is table and key.ondelete == "CASCADE":
                connection.execute(delete(belonging).where(key.parent == row_id))
