"""A finished transcript as plain text, CSV and Word."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from webui.text.sentences import whole_sentences
from webui.text.tables import csv_lines
from webui.text.transcript import Transcript, TranscriptSegment, join_texts

PARAGRAPH_PAUSE = 2.0  # seconds of silence that begin a new paragraph
PARAGRAPH_LENGTH = 500  # characters after which the next sentence begins one

_MARK = re.compile(r"[，。？！、；：,.?!;:…]")
# What XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def txt(transcript: Transcript) -> str:
    """A sentence a line; an empty line at pauses and at changes of the speaker, who is named then."""
    paragraphs = []
    before: str | None = None
    for paragraph in _paragraphs(transcript.segments):
        speaker = paragraph[0].speaker
        name = f"{speaker}: " if speaker and speaker != before else ""
        paragraphs.append(name + "\n".join(_sentences(paragraph)) + "\n")
        before = speaker
    return "\n".join(paragraphs)


def csv(transcript: Transcript) -> str:
    """One row a segment, for a spreadsheet: byte order mark, times in seconds, no cell that is a formula."""
    return "".join(csv_lines(transcript.columns, map(csv_row, transcript.segments)))


def csv_row(segment: TranscriptSegment) -> tuple[str | None, ...]:
    return f"{segment.start:.3f}", f"{segment.end:.3f}", segment.speaker, segment.text


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
        first, *others = _sentences(paragraph)
        line.add_run(_xml(first))
        for sentence in others:
            line.add_run().add_break()
            line.add_run(_xml(sentence))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _sentences(paragraph: Sequence[TranscriptSegment]) -> list[str]:
    """One after the other; where a text has no punctuation, what lies between two silences is one."""
    joined = ""
    for segment in paragraph:
        text = segment.text.strip()
        joined = joined + text if joined.endswith("\n") else join_texts([joined, text])
        if not _MARK.search(text):
            joined += "\n"
    return [line for part in joined.split("\n") for line in whole_sentences(part)]


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
        or (length > PARAGRAPH_LENGTH and _ends_sentence(before.text))
    )


def _ends_sentence(text: str) -> bool:
    """Without any punctuation, what lies between two silences counts as a sentence."""
    return text.rstrip()[-1] in "。！？.!?…" or not _MARK.search(text)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)
