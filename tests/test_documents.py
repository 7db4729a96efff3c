"""Documents of a transcript, and names and cells made safe."""

from __future__ import annotations

import csv
import io
import time
import unicodedata

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.text.file_names import MOST_BYTES, safe_name
from webui.text.formats import TRANSCRIPT_FORMATS
from webui.text.tables import csv_cell
from webui.text.transcript import TimedWord, Transcript, TranscriptSegment

OF_A_TRANSCRIPT = [name for name, row in TRANSCRIPT_FORMATS.items() if row.write]

TRANSCRIPT = Transcript(
    "会议.mp3",
    (("文件", "会议.mp3"), ("模型", "sensevoice"), ("SHA-256", "ab" * 32)),
    (
        TranscriptSegment(0.0, 2.5, "大家好。", "甲", (TimedWord("大家", 0.0, 0.5),)),
        TranscriptSegment(2.6, 4.0, "开始吧。", "甲"),
        TranscriptSegment(4.2, 6.0, '=HYPERLINK("http://x")', "乙"),
        TranscriptSegment(60.0, 61.0, "  ", "乙"),
        TranscriptSegment(3700.0, 3701.0, "Hello.", "乙"),
        TranscriptSegment(3701.0, 3702.0, "Bye \x0b\ud800\x00.", "乙"),
    ),
)


def write(transcript: Transcript, form: str) -> bytes:
    writer = TRANSCRIPT_FORMATS[form].write
    assert writer is not None
    return writer(transcript)


def test_text_has_paragraphs_and_names_speakers_at_their_turn() -> None:
    lines = write(TRANSCRIPT, "txt").decode().split("\n")
    assert lines == [
        *("甲: 大家好。", "开始吧。", ""),
        *('乙: =HYPERLINK("http://x")', ""),
        *("Hello.", "Bye \x0b?\x00.", ""),
    ]


def test_text_without_speakers_is_only_the_text() -> None:
    transcript = Transcript("a", (), (TranscriptSegment(0, 1, "你好。"), TranscriptSegment(1, 2, "再见。")))
    assert write(transcript, "txt").decode() == "你好。\n再见。\n"
    assert write(Transcript("a", (), ()), "txt") == b""


def test_text_without_punctuation_has_a_line_for_what_lies_between_silences() -> None:
    texts = ("请问医保怎么办理", "好的请稍等", "我是王先生，", "住在北京。", "谢谢")
    segments = tuple(TranscriptSegment(n, n + 1, text) for n, text in enumerate(texts))
    assert write(Transcript("a", (), segments), "txt").decode().splitlines() == [
        "请问医保怎么办理",
        "好的请稍等",
        "我是王先生，住在北京。",
        "谢谢",
    ]


def test_a_sentence_goes_on_over_a_silence_and_an_abbreviation_does_not_end_one() -> None:
    said = ("I met Dr. Smith,", "who left at 3.5 p.m. yesterday. Bye.")
    segments = tuple(TranscriptSegment(n, n + 1, text) for n, text in enumerate(said))
    text = write(Transcript("a", (), segments), "txt").decode()
    assert text == "I met Dr. Smith, who left at 3.5 p.m. yesterday.\nBye.\n"


@pytest.mark.parametrize("text", ["这是一个句子。" * 10, "这一句没有标点的话说得很长" * 5])
def test_long_speech_gets_paragraphs(text: str) -> None:
    segments = tuple(TranscriptSegment(n, n + 1, text) for n in range(30))
    paragraphs = write(Transcript("a", (), segments), "txt").decode().split("\n\n")
    assert 3 <= len(paragraphs) <= 6


def test_csv_opens_in_a_spreadsheet_as_text() -> None:
    data = write(TRANSCRIPT, "csv")
    assert data.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert rows[0] == {"start": "0.000", "end": "2.500", "speaker": "甲", "text": "大家好。"}
    assert rows[2]["text"] == '\'=HYPERLINK("http://x")'


def test_word_has_title_facts_times_and_speakers() -> None:
    document = Document(io.BytesIO(write(TRANSCRIPT, "docx")))
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[0] == "会议.mp3"
    assert document.tables[0].cell(2, 1).text == "ab" * 32
    assert "[00:00:00] 甲: 大家好。\n开始吧。" in texts
    assert any(text.startswith("[01:01:40] 乙: Hello.\nBye") for text in texts)


def test_markup_in_a_transcript_stays_text_in_word() -> None:
    text = "<w:t>&lt;</w:t><img src=x onerror=alert(1)>"
    data = write(Transcript("<b>", (), (TranscriptSegment(0, 1, text),)), "docx")
    assert Document(io.BytesIO(data)).paragraphs[-1].text == f"[00:00:00] {text}"


@pytest.mark.parametrize("form", OF_A_TRANSCRIPT)
def test_every_form_is_written_even_of_nothing_and_of_hostile_text(form: str) -> None:
    assert isinstance(write(Transcript("", (), ()), form), bytes)
    assert write(TRANSCRIPT, form)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("会议 录音.wav", "会议 录音.wav"),
        ("../../etc/cron.d/x", "x"),
        ("..\\..\\x.wav", "x.wav"),
        ("C:\\temp\\a.mp3", "a.mp3"),
        ("a\x00b\x1b[31m.wav", "ab[31m.wav"),
        ("\u202egpj.wav", "gpj.wav"),
        ("a\u200bb\u2066c.wav", "abc.wav"),
        ("x\ud800y.wav", "xy.wav"),
        ("CON.wav", "_CON.wav"),
        ("com1", "_com1"),
        ("console.wav", "console.wav"),
        ("<img src=x>.wav", "_img src=x_.wav"),
        ("e\u0301.wav", "é.wav"),
        ("a. . ", "a"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("dir/", "dir"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_name("长" * 4000 + ".mp3")
    assert len(name.encode()) <= MOST_BYTES
    assert name.endswith("长.mp3")
    assert safe_name("a" * 135 + " b.mp3") == "a" * 135 + ".mp3"
    assert len(safe_name("a." + "b" * 4000).encode()) <= MOST_BYTES


@settings(max_examples=400, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_safe_names_are_safe_and_stay_as_they_are(name: str) -> None:
    safe = safe_name(name)
    assert safe_name(safe) == safe
    assert safe
    assert safe not in (".", "..")
    assert len(safe.encode()) <= MOST_BYTES
    assert not set(safe) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in safe)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2",
        "@SUM(1)",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        " =1",
        "\u00a0=1",
        "\u3000=1",
        "\ufeff=1",
        "\t1",
        "\r1",
        "\n1",
        "\0=1",
    ],
)
def test_formulas_become_text(text: str) -> None:
    assert csv_cell(text) == "'" + text.replace("\0", "")


@pytest.mark.parametrize("text", ["", "你好", "a=b", "1-2", "'quoted", "  text"])
def test_other_cells_stay(text: str) -> None:
    assert csv_cell(text) == text


def test_sanitisers_are_linear() -> None:
    began = time.process_time()
    for text in (" " * 100_000, "\u3000" * 100_000 + "x", "../" * 30_000, "." * 100_000):
        csv_cell(text)
        safe_name(text)
    assert time.process_time() - began < 2
