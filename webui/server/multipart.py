"""Multipart bodies of any size at constant memory: files go to disk under `data/` as they arrive.

Starlette's own form parser spools through the system's temporary folder and copies; a recording of some
gigabytes should be written once, where it stays.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from webui.disk import worded
from webui.errors import UserError
from webui.service.archives import is_archive
from webui.service.uploads import Incoming, Upload
from webui.text.file_names import safe_name

FEED = 2**20  # bytes handed to the parsing thread at a time
FIELD_LIMIT = 4 * 2**20  # bytes of all fields that are no files
MAX_FILES = 1000
MAX_FIELDS = 200
LONGEST_BOUNDARY = 70  # characters, RFC 2046 5.1.1


@dataclass
class Form:
    """`files` by order of arrival, `fields` by name with all their values."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[tuple[str, Upload]] = field(default_factory=list)

    def value(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return self.fields.get(name, [default])[-1]

    def uploads(self, name: str = "file") -> list[Upload]:
        """The files sent under `name` or `name[]`."""
        return [upload for field_name, upload in self.files if field_name.removesuffix("[]") == name]


@contextlib.asynccontextmanager
async def read_form(request: Request, folder: Path) -> AsyncIterator[Form]:
    """The request's form; files nobody moved away are gone when the block ends. Without files it may be urlencoded.

    Raises BAD_REQUEST for a body that is no form, DISK_FULL, and what the guard raises.
    """
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        yield Form(fields=_urlencoded(await request.body()))
        return
    reader = _Reader(_boundary(request), folder)
    try:
        yield await _read(request, reader)
    finally:
        await run_in_threadpool(reader.close)


async def _read(request: Request, reader: _Reader) -> Form:
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        if len(pending) >= FEED:
            await run_in_threadpool(reader.feed, bytes(pending))
            pending.clear()
    await run_in_threadpool(reader.feed, bytes(pending))
    return await run_in_threadpool(reader.finish)


def _urlencoded(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise _malformed(f"more than {MAX_FIELDS} fields") from None


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _malformed("multipart/form-data expected")
    if len(boundary) > LONGEST_BOUNDARY:
        raise _malformed(f"a boundary of more than {LONGEST_BOUNDARY} characters")
    return boundary


def _malformed(reason: str) -> UserError:
    return UserError("BAD_REQUEST", reason=reason)


def _file_name(disposition: bytes, options: dict[bytes, bytes]) -> str | None:
    """The part's file name; some clients send only RFC 5987's extended form."""
    if b"filename" in options:
        return options[b"filename"].decode("utf-8", "replace")
    extended = re.search(rb"filename\*=utf-8'[^']*'([^;\s]+)", disposition, re.IGNORECASE)
    return unquote(extended.group(1).decode("latin-1")) if extended else None


class _Reader:
    """Callbacks of the incremental parser; runs in a worker thread, one call at a time."""

    def __init__(self, boundary: bytes, folder: Path) -> None:
        self.form = Form()
        self._folder = folder
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._field: bytearray | None = None
        self._file: Incoming | None = None
        self._field_bytes = 0
        self._field_parts = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_text,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Raises BAD_REQUEST or DISK_FULL."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise _malformed("malformed multipart body") from None

    def finish(self) -> Form:
        """The form; raises BAD_REQUEST for a body that was cut off, TOO_LARGE for fields beyond their limit.

        Not before the body has ended: whoever still sends would not read the answer.
        """
        if not self._ended:
            raise _malformed("the multipart body ended early")
        if self._field_bytes > FIELD_LIMIT:
            raise UserError("TOO_LARGE", limit=worded(FIELD_LIMIT))
        return self.form

    def close(self) -> None:
        if self._file:
            self._file.abandon()
        for _, upload in self.form.files:
            upload.discard()

    def _part_begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_text(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = _file_name(disposition, options)
        if file_name is None:
            self._field_parts += 1  # parts, whatever their names: one name may come a million times
            if self._field_parts > MAX_FIELDS:
                raise _malformed(f"more than {MAX_FIELDS} fields")
            self._field = bytearray()
            return
        if len(self.form.files) >= MAX_FILES:
            raise _malformed(f"more than {MAX_FILES} files")
        self._file = Incoming(self._folder, file_name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file:
            self._file.write(memoryview(data)[start:end])
            return
        self._field_bytes += end - start
        if self._field is not None and self._field_bytes <= FIELD_LIMIT:
            self._field += data[start:end]

    def _part_end(self) -> None:
        if self._file:
            self.form.files.append((self._name, self._file.finish()))
            self._file = None
        elif self._field is not None:
            self.form.fields.setdefault(self._name, []).append(self._field.decode("utf-8", "replace"))
            self._field = None

    def _end(self) -> None:
        self._ended = True


def one_recording(form: Form) -> list[Upload]:
    """The one file of a form whose answer is one text; an archive would be several. Raises NOT_AUDIO."""
    uploads = form.uploads()[:1]
    if uploads and is_archive(uploads[0].path):
        raise UserError("NOT_AUDIO", param="file", file=safe_name(uploads[0].name), sniffed="ZIP")
    return uploads
