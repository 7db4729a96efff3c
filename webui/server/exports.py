"""The history as files, however long it is: rows come from the database in chunks and leave at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

from webui.server.present import iso, job_view
from webui.store.rows import JobRow
from webui.text.file_names import csv_cell

CHUNK = 64 * 1024  # bytes gathered before they are handed on


def history_csv(rows: Iterator[JobRow]) -> Iterator[bytes]:
    """`history.csv` for a spreadsheet: UTF-8 with BOM, no cell that it would take for a formula."""
    return gathered(_csv_lines(rows))


def history_json(rows: Iterator[JobRow], locale: str) -> Iterator[bytes]:
    """`history.json`: one array of Jobs."""
    return gathered(_json_array(rows, locale))


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


def csv_row(row: JobRow) -> list[str]:
    """The cells of `COLUMNS`, safe to open in a spreadsheet."""
    values = (value(row) for _, value in COLUMNS)
    return [csv_cell("" if value is None else str(value)) for value in values]


def _csv_lines(rows: Iterator[JobRow]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff"
    writer.writerow(name for name, _ in COLUMNS)
    for row in rows:
        writer.writerow(csv_row(row))
        yield drain(buffer)
    yield drain(buffer)


def _json_array(rows: Iterator[JobRow], locale: str) -> Iterator[str]:
    separator = "["
    for row in rows:
        yield separator + json.dumps(job_view(row, None, locale).model_dump(), ensure_ascii=False)
        separator = ",\n"
    yield "]" if separator == ",\n" else "[]"


def drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def gathered(parts: Iterator[str]) -> Iterator[bytes]:
    pending = bytearray()
    for part in parts:
        pending += part.encode("utf-8", "replace")
        if len(pending) >= CHUNK:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)
