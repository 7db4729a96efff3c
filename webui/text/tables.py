"""Tables as CSV for a spreadsheet and as JSON, row by row: what is written can leave before the rest is there."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain

BLOCK = 64 * 1024  # bytes gathered before they are handed on

# Formulas, also behind white space that a spreadsheet skips (no-break space, U+3000, byte order mark).
_FORMULA = re.compile(r"[\s\u00a0\u3000\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")


def csv_cell(text: str) -> str:
    """`text` such that no spreadsheet takes it for a formula: those get a leading apostrophe; NUL is dropped."""
    text = text.replace("\0", "")
    return f"'{text}" if _FORMULA.match(text) else text


def csv_lines(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """With a byte order mark; every cell as `csv_cell` has it, None as an empty one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff"
    for row in chain([heading], rows):
        writer.writerow(csv_cell("" if value is None else str(value)) for value in row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def json_lines(items: Iterable[object]) -> Iterator[str]:
    """One array, an item a line."""
    yield "["
    for number, item in enumerate(items):
        yield (",\n" if number else "") + json.dumps(item, ensure_ascii=False)
    yield "]"


def in_blocks(parts: Iterable[str]) -> Iterator[bytes]:
    """`parts` in UTF-8, each block of BLOCK bytes or more but the last."""
    pending = bytearray()
    for part in parts:
        pending += part.encode("utf-8", "replace")
        if len(pending) >= BLOCK:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)
