"""The history as files, however long it is: rows come from the database in chunks and leave at once."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from webui.errors import UserError
from webui.jobs.kinds import KINDS
from webui.server.present import iso, job_view
from webui.server.results import Result, write_result
from webui.service.jobs import JobService
from webui.store.rows import JobFilter, JobRow
from webui.store.states import FINAL_STATES
from webui.text.file_names import csv_cell, safe_name

CHUNK = 64 * 1024  # bytes gathered before they are handed on
BLOCK = 256 * 1024  # bytes of a file read at a time


def history_csv(rows: Iterator[JobRow]) -> Iterator[bytes]:
    """`history.csv` for a spreadsheet: UTF-8 with BOM, no cell that it would take for a formula."""
    return _gathered(_csv_lines(rows))


def history_json(rows: Iterator[JobRow], locale: str) -> Iterator[bytes]:
    """`history.json`: one array of Jobs."""
    return _gathered(_json_array(rows, locale))


def batch_archive(jobs: JobService, owner_id: int, batch: str, file_format: str, locale: str) -> Iterator[bytes]:
    """A ZIP of a batch's finished results. Raises NOT_FOUND for an unknown batch or format, NOT_READY while none is."""
    wanted = JobFilter(owner_id, batch=batch)
    if not jobs.page(wanted, limit=1).jobs:
        raise UserError("NOT_FOUND")
    first = next((row for row in jobs.stream(wanted) if row.state in FINAL_STATES), None)
    if first is None:
        raise UserError("NOT_READY")
    archive = _Archive(jobs, owner_id, file_format, locale)
    if KINDS[first.kind].result == "text":
        archive.transcript(first.uid)  # before the first byte is sent
    return archive.pieces(jobs.stream(wanted))


class _Archive:
    """Written while it is sent."""

    def __init__(self, jobs: JobService, owner_id: int, file_format: str, locale: str) -> None:
        self._jobs = jobs
        self._owner_id = owner_id
        self._file_format = file_format
        self._locale = locale
        self._out = _Outbox()
        self._taken: set[str] = set()

    def pieces(self, rows: Iterator[JobRow]) -> Iterator[bytes]:
        with zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED) as archive:
            for row in rows:
                try:
                    yield from self._add(archive, row)
                except UserError:  # not finished, nothing in it, or gone meanwhile
                    continue
        yield self._out.take()

    def transcript(self, uid: str) -> Result:
        """Raises NOT_READY, NOT_FOUND for a format that does not exist."""
        return write_result(self._jobs.ended_segments(self._owner_id, uid), self._file_format, self._locale)

    def _add(self, archive: zipfile.ZipFile, row: JobRow) -> Iterator[bytes]:
        if KINDS[row.kind].result == "text":
            result = self.transcript(row.uid)
            archive.writestr(_free_name(result.name, self._taken), result.content)
            yield self._out.take()
            return
        media = self._jobs.audio(self._owner_id, row.uid)
        info = zipfile.ZipInfo.from_file(media.path, _free_name(media.name, self._taken))
        with media.path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
            while block := source.read(BLOCK):
                target.write(block)
                yield self._out.take()


class _Outbox(io.RawIOBase):
    """What zipfile writes, until it is taken; not seekable, so zipfile needs no going back."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


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
        yield _drain(buffer)
    yield _drain(buffer)


def _json_array(rows: Iterator[JobRow], locale: str) -> Iterator[str]:
    separator = "["
    for row in rows:
        yield separator + json.dumps(job_view(row, None, locale).model_dump(), ensure_ascii=False)
        separator = ",\n"
    yield "]" if separator == ",\n" else "[]"


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _gathered(parts: Iterator[str]) -> Iterator[bytes]:
    pending = bytearray()
    for part in parts:
        pending += part.encode("utf-8", "replace")
        if len(pending) >= CHUNK:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` … where it is taken in this archive."""
    path = Path(safe_name(name))
    free, number = str(path), 1
    while free.casefold() in taken:
        number += 1
        free = f"{path.stem} ({number}){path.suffix}"
    taken.add(free.casefold())
    return free
