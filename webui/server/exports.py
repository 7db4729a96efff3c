"""The history as files, however long it is: rows come from the database in chunks and leave at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from webui.server.present import iso, job_view
from webui.store.rows import JobRow
from webui.text.tables import csv_lines, in_blocks, json_lines


def history_csv(rows: Iterator[JobRow]) -> Iterator[bytes]:
    """`history.csv`: a row a job."""
    cells = ([value(row) for _, value in COLUMNS] for row in rows)
    return in_blocks(csv_lines([name for name, _ in COLUMNS], cells))


def history_json(rows: Iterator[JobRow], locale: str) -> Iterator[bytes]:
    """`history.json`: one array of Jobs."""
    return in_blocks(json_lines(job_view(row, None, locale).model_dump() for row in rows))


def _hotwords(row: JobRow) -> str | None:
    return "\n".join(row.params.get("hotwords") or ()) or None


def _itn(row: JobRow) -> str | None:
    itn = row.params.get("itn")
    return None if itn is None else str(bool(itn)).lower()


def _device(row: JobRow) -> str:
    """Where the engine ran."""
    return row.devices.get(row.kind) or next(iter(row.devices.values()), "")


COLUMNS: tuple[tuple[str, Callable[[JobRow], object]], ...] = (
    ("id", lambda row: row.uid),
    ("kind", lambda row: row.kind),
    ("state", lambda row: row.state),
    ("created_at", lambda row: iso(row.created_at)),
    ("finished_at", lambda row: iso(row.finished_at)),
    ("file_name", lambda row: row.file_name),
    ("duration_s", lambda row: None if row.duration_ms is None else row.duration_ms / 1000),
    ("model", lambda row: row.model),
    ("device", _device),
    ("language", lambda row: row.language),
    ("hotwords", _hotwords),
    ("itn", _itn),
    ("text", lambda row: row.text),
    ("text_raw", lambda row: row.text_raw),
    ("voice", lambda row: row.params.get("voice")),
    ("error_code", lambda row: row.error.code if row.error else None),
)
