"""A finished transcript as a file: plain text, CSV, JSON, Word, SRT and WebVTT."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
import re
from collections.abc import Iterator, Sequence
from typing import Any

from webui.text import subtitles
from webui.text.file_names import csv_cell
from webui.text.transcript import TimedWord, Transcript, TranscriptSegment, join_texts

__all__ = ["MIME", "TimedWord", "Transcript", "TranscriptSegment", "write"]

MIME: dict[str, str] = {
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
PARAGRAPH_PAUSE = 2.0  # seconds of silence that begin a new paragraph
PARAGRAPH_LENGTH = 500  # characters after which the next sentence begins one

# What XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(transcript: Transcript, form: str) -> bytes:
    """The file's bytes; `form` is a key of MIME, else KeyError."""
    if form == "docx":
        return docx(transcript)
    if form in ("srt", "vtt"):
        text = {"srt": subtitles.srt, "vtt": subtitles.vtt}[form](transcript.segments)
    else:
        text = {"txt": txt, "csv": csv, "json": json}[form](transcript)
    return text.encode("utf-8", "replace")


def txt(transcript: Transcript) -> str:
    """Paragraphs, new ones at pauses and at changes of the speaker, who is named then."""
    lines = []
    before: str | None = None
    for paragraph in _paragraphs(transcript.segments):
        speaker = paragraph[0].speaker
        name = f"{speaker}: " if speaker and speaker != before else ""
        lines.append(name + join_texts([segment.text for segment in paragraph]))
        before = speaker
    return "".join(line + "\n" for line in lines)


def csv(transcript: Transcript) -> str:
    """One row a segment, for a spreadsheet: byte order mark, times in seconds, no cell that is a formula."""
    buffer = io.StringIO()
    writer = csv_module.writer(buffer)
    writer.writerow(("start", "end", "speaker", "text"))
    for segment in transcript.segments:
        cells = (csv_cell(segment.speaker or ""), csv_cell(segment.text))
        writer.writerow((f"{segment.start:.3f}", f"{segment.end:.3f}", *cells))
    return "\ufeff" + buffer.getvalue()


def json(transcript: Transcript) -> str:
    """{"title", "facts", "segments": [{"start", "end", "speaker", "text", "words"}]}, times in seconds."""
    document = {
        "title": transcript.title,
        "facts": dict(transcript.facts),
        "segments": [_segment(segment) for segment in transcript.segments],
    }
    return json_module.dumps(document, ensure_ascii=False, indent=2) + "\n"


def docx(transcript: Transcript) -> bytes:
    """Word: title, a table of facts, and paragraphs with their time and speaker."""
    from docx import Document

    document: Any = Document()
    document.core_properties.title = _xml(transcript.title)[:255]
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.add_heading(_xml(transcript.title), 0)
    if transcript.facts:
        table = document.add_table(rows=0, cols=2, style="Table Grid")
        for name, value in transcript.facts:
            cells = table.add_row().cells
            cells[0].text, cells[1].text = _xml(name), _xml(value)
        document.add_paragraph()
    for paragraph in _paragraphs(transcript.segments):
        line = document.add_paragraph()
        line.add_run(f"[{_clock(paragraph[0].start)}] ").italic = True
        if paragraph[0].speaker:
            line.add_run(_xml(f"{paragraph[0].speaker}: ")).bold = True
        line.add_run(_xml(join_texts([segment.text for segment in paragraph])))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _paragraphs(segments: Sequence[TranscriptSegment]) -> Iterator[list[TranscriptSegment]]:
    paragraph: list[TranscriptSegment] = []
    length = 0
    for segment in segments:
        if not segment.text.strip():
            continue
        if paragraph and _begins_paragraph(paragraph[-1], segment, length):
            yield paragraph
            paragraph, length = [], 0
        paragraph.append(segment)
        length += len(segment.text)
    if paragraph:
        yield paragraph


def _begins_paragraph(before: TranscriptSegment, segment: TranscriptSegment, length: int) -> bool:
    return (
        segment.speaker != before.speaker
        or segment.start - before.end > PARAGRAPH_PAUSE
        or (length > PARAGRAPH_LENGTH and before.text.rstrip()[-1] in "。！？.!?…")
    )


def _segment(segment: TranscriptSegment) -> dict[str, Any]:
    return {
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "speaker": segment.speaker,
        "text": segment.text,
        "words": [
            {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3)} for word in segment.words
        ],
    }


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)
