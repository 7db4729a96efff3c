"""What was handed in together as one file, however much it is: it leaves while it is made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webui.errors import UserError
from webui.jobs.kinds import KINDS
from webui.server.results import FILE, HEADINGS, Result, transcript_of, write_result
from webui.service.jobs import JobService
from webui.store.rows import JobFilter, JobRow
from webui.store.states import FINAL_STATES
from webui.text.documents import csv_row
from webui.text.file_names import download_stem, safe_name
from webui.text.tables import csv_lines, in_blocks, json_lines
from webui.text.transcript import TranscriptSegment

BLOCK = 256 * 1024  # bytes of a file read at a time


@dataclass(frozen=True)
class FinishedJobs:
    """The ended jobs of a batch, newest first; `name`: of a file with all of them, without its ending."""

    jobs: JobService
    owner_id: int
    batch: str
    name: str

    def rows(self) -> Iterator[JobRow]:
        rows = self.jobs.stream(JobFilter(self.owner_id, batch=self.batch))
        return (row for row in rows if row.state in FINAL_STATES)


def finished_jobs(jobs: JobService, owner_id: int, batch: str) -> FinishedJobs:
    """Raises NOT_FOUND for an unknown batch, NOT_READY while none of it has ended."""
    wanted = JobFilter(owner_id, batch=batch)
    if not jobs.page(wanted, limit=1).jobs:
        raise UserError("NOT_FOUND")
    names = [_name(row) for row in jobs.stream(wanted) if row.state in FINAL_STATES]
    if not names:
        raise UserError("NOT_READY")
    others = f" +{len(names) - 1}" if len(names) > 1 else ""
    return FinishedJobs(jobs, owner_id, batch, download_stem(names[-1], "") + others)


def _name(row: JobRow) -> str:
    return row.file_name or download_stem("", row.text)


def batch_csv(found: FinishedJobs, locale: str) -> Iterator[bytes]:
    """A row a segment with its file's name."""
    rows = ((name, *csv_row(segment)) for name, segment in _table(found, locale))
    return in_blocks(csv_lines((FILE[locale], *HEADINGS[locale]), rows))


def batch_json(found: FinishedJobs, locale: str) -> Iterator[bytes]:
    """The same rows as one array of objects; times in seconds."""
    return in_blocks(json_lines(_json_row(name, segment) for name, segment in _table(found, locale)))


def _json_row(name: str, segment: TranscriptSegment) -> dict[str, Any]:
    row = {"file_name": name, "start": segment.start, "end": segment.end}
    return row | {"speaker": segment.speaker, "text": segment.text}


def _table(found: FinishedJobs, locale: str) -> Iterator[tuple[str, TranscriptSegment]]:
    """In the order in which the files were given: the listing is newest first."""
    for uid, name in reversed([(row.uid, _name(row)) for row in found.rows()]):
        try:
            ended = found.jobs.ended_segments(found.owner_id, uid)
        except UserError:  # deleted meanwhile
            continue
        for segment in transcript_of(ended, locale).segments:
            yield name, segment


def batch_archive(found: FinishedJobs, file_format: str, locale: str) -> Iterator[bytes]:
    """A ZIP of the results. Raises NOT_FOUND for an unknown format."""
    first = next(found.rows())
    archive = _Archive(found, file_format, locale)
    if KINDS[first.kind].result == "text":
        archive.transcript(first.uid)  # before the first byte is sent
    return archive.pieces(found.rows())


class _Archive:
    """Written while it is sent."""

    def __init__(self, found: FinishedJobs, file_format: str, locale: str) -> None:
        self._jobs = found.jobs
        self._owner_id = found.owner_id
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


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` … where it is taken in this archive."""
    path = Path(safe_name(name))
    free, number = str(path), 1
    while free.casefold() in taken:
        number += 1
        free = f"{path.stem} ({number}){path.suffix}"
    taken.add(free.casefold())
    return free
