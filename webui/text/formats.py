"""The file formats of a transcript: name, media type, writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webui.text import documents, subtitles
from webui.text.transcript import Transcript


@dataclass(frozen=True)
class TranscriptFormat:
    """`name`: also the file's ending. `write`: None where the file is more than the transcript: the whole job."""

    name: str
    mime: str
    write: Callable[[Transcript], bytes] | None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_ROWS = (
    TranscriptFormat("docx", _WORD, documents.docx),
    TranscriptFormat("txt", "text/plain; charset=utf-8", lambda given: _utf8(documents.txt(given))),
    TranscriptFormat("srt", "application/x-subrip; charset=utf-8", lambda given: _utf8(subtitles.srt(given.segments))),
    TranscriptFormat("vtt", "text/vtt; charset=utf-8", lambda given: _utf8(subtitles.vtt(given.segments))),
    TranscriptFormat("csv", "text/csv; charset=utf-8", lambda given: _utf8(documents.csv(given))),
    TranscriptFormat("json", "application/json", None),
)
TRANSCRIPT_FORMATS: Mapping[str, TranscriptFormat] = {row.name: row for row in _ROWS}
