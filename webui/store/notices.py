"""Columns of notices: JSON in the database, `Notice` in the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator

from webui.errors import Notice


class NoticeColumn(TypeDecorator[Notice]):
    """One notice, or NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Notice | None, _dialect: Dialect) -> dict[str, Any] | None:
        return value.stored() if value else None

    def process_result_value(self, value: Mapping[str, Any] | None, _dialect: Dialect) -> Notice | None:
        return Notice.from_stored(value) if value else None


class NoticesColumn(TypeDecorator[list[Notice]]):
    """A list of notices."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[Notice] | None, _dialect: Dialect) -> list[dict[str, Any]]:
        return [notice.stored() for notice in value or ()]

    def process_result_value(self, value: Iterable[Mapping[str, Any]] | None, _dialect: Dialect) -> list[Notice]:
        return [Notice.from_stored(stored) for stored in value or ()]
