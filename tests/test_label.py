"""The AIGC label: the tone, the JSON, every container, and what takes a label away."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import av
import mutagen
import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.oggopus
import numpy as np
import pytest
import soundfile

from tests.speech_kit import hum
from webui.audio import riff
from webui.audio.aigc_label.audible import AUDIBLE_SECONDS, UNIT_SECONDS, audible_label, audible_score
from webui.audio.aigc_label.label import (
    FIELDS,
    GAP_SECONDS,
    AigcLabel,
    check,
    is_producer_code,
    labelled,
    read_all_metadata,
    read_metadata,
    write_metadata,
)
from webui.audio.aigc_label.metadata import NoPlace
from webui.audio.encode import AudioWriter
from webui.errors import UserError

CODE = "001191110102MAD55U9H0F10002"
LABEL = AigcLabel(CODE, "0123456789abcdef0123456789abcdef")
CONTAINERS = ["wav", "mp3", "flac", "opus"]
FORMATS = [*CONTAINERS, "aac", "pcm"]


def speech(rate: int, level: float = 0.2) -> np.ndarray:
    return hum(3, rate, level=level)


def write(path: Path, rate: int = 24_000, position: Any = "end", label: str | None = LABEL.json()) -> Path:
    format: Any = path.suffix[1:]
    with AudioWriter(path, format, rate, label) as writer:
        for piece in labelled([speech(rate)], rate, position):
            writer.write(piece)
    return path


def samples_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)])


def independent_values(path: Path) -> list[str]:
    """All AIGC values by mutagen (and, for WAV, by a search for the chunk)."""
    if path.suffix == ".wav":
        return [piece[4 : 4 + int.from_bytes(piece[:4], "little")].decode() for piece in _after(path, b"AIGC")]
    tags = mutagen.File(path).tags
    if path.suffix == ".mp3":
        return [text for frame in tags.getall("TXXX") if frame.desc == "AIGC" for text in frame.text]
    return list(tags["AIGC"])


def _after(path: Path, mark: bytes) -> list[bytes]:
    return path.read_bytes().split(mark)[1:]


def test_the_json_has_the_seven_fields_in_order() -> None:
    assert LABEL.json() == (
        f'{{"Label":"1","ContentProducer":"{CODE}","ProduceID":"{LABEL.produce_id}","ReservedCode1":"",'
        f'"ContentPropagator":"{CODE}","PropagateID":"{LABEL.produce_id}","ReservedCode2":""}}'
    )
    assert tuple(json.loads(LABEL.json())) == FIELDS


def test_a_producer_that_is_not_configured_is_empty() -> None:
    assert AigcLabel("", "x").fields()["ContentProducer"] == ""


@pytest.mark.parametrize("value", ["声坊", "two words", 'a"b', "a\\b", "a\nb", "a\x7f", "é"])
def test_characters_outside_the_standard_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        AigcLabel(value, "x")
    with pytest.raises(ValueError, match="printable ASCII"):
        AigcLabel("", value)


def test_the_edges_of_the_character_set_are_allowed() -> None:
    assert AigcLabel("!#[]~", "x").producer == "!#[]~"
    with pytest.raises(ValueError, match="produce_id"):
        AigcLabel("x", "")


def test_a_producer_code_has_27_characters() -> None:
    assert len(CODE) == 27
    assert is_producer_code(CODE)
    assert is_producer_code(CODE[:22] + "00000")
    assert not is_producer_code(CODE[:-1])
    assert not is_producer_code("99" + CODE[2:])


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100])
def test_the_audible_label_is_short_long_short_short(rate: int) -> None:
    tone = audible_label(rate)
    assert len(tone) == round(1.32 * rate)
    unit = int(UNIT_SECONDS * rate)
    heard = "".join(
        "1" if np.abs(tone[n * unit + unit // 4 : (n + 1) * unit - unit // 4]).max() > 0.1 else "0" for n in range(11)
    )
    assert heard == "10111000101"
    spectrum = np.abs(np.fft.rfft(tone))
    assert np.argmax(spectrum) * rate / len(tone) == pytest.approx(880, abs=2)
    assert audible_score(tone, rate) > 0.9


def test_the_audible_label_follows_the_level_of_the_speech() -> None:
    loud = np.concatenate(list(labelled([speech(16_000, level=0.6)], 16_000, "end")))
    quiet = np.concatenate(list(labelled([speech(16_000, level=0.2)], 16_000, "end")))
    count = round(AUDIBLE_SECONDS * 16_000)
    ratio = np.abs(loud[-count:]).max() / np.abs(quiet[-count:]).max()
    assert ratio == pytest.approx(3, rel=0.1)
    assert np.abs(audible_label(16_000, 1e-6)).max() > 0.05, "audible even beside near silence"
    assert np.abs(audible_label(16_000, 1.0)).max() < 0.6


def test_position_and_gap() -> None:
    content = speech(16_000)
    both = np.concatenate(list(labelled([content[:5000], content[5000:]], 16_000, "both")))
    side = round((AUDIBLE_SECONDS + GAP_SECONDS) * 16_000)
    assert len(both) == len(content) + 2 * side
    assert np.array_equal(both[side:-side], content)
    assert not both[side - 4000 : side].any()
    start = np.concatenate(list(labelled([content], 16_000, "start")))
    assert np.array_equal(start[side:], content)


def test_the_audible_label_is_not_found_where_it_is_not() -> None:
    assert audible_score(speech(16_000), 16_000) < 0.3
    assert audible_score(np.zeros(100, np.float32), 16_000) < 0.3
    steady = np.sin(2 * np.pi * 880 * np.arange(32_000) / 16_000).astype(np.float32)
    assert audible_score(steady, 16_000) < 0.3
    assert audible_score(audible_label(16_000)[::-1].copy(), 16_000) < 0.8, "the same backwards is another letter"


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("position", ["start", "end", "both"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_labelled_file_passes_the_check(tmp_path: Path, format: str, position: Any, rate: int) -> None:
    path = write(tmp_path / f"a.{format}", rate, position)
    check(path, LABEL, position, rate)


@pytest.mark.parametrize("format", CONTAINERS)
def test_an_independent_reader_finds_exactly_this_label(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}")
    assert independent_values(path) == [LABEL.json()]
    assert read_metadata(path) == LABEL.fields()


@pytest.mark.parametrize("format", CONTAINERS)
def test_writing_again_leaves_one_label_and_the_same_sound(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}", label=None)
    before = samples_of(path)
    assert read_metadata(path) is None
    for name in ("first", "second-which-is-longer", "3"):
        write_metadata(path, AigcLabel(CODE, name))
        assert independent_values(path) == [AigcLabel(CODE, name).json()]
    assert np.array_equal(samples_of(path), before)
    check(path, AigcLabel(CODE, "3"), "end")


@pytest.mark.parametrize("format", CONTAINERS)
def test_other_tags_survive(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}")
    if format == "mp3":
        tags = mutagen.id3.ID3(path)
        tags.add(mutagen.id3.TIT2(encoding=1, text="标题"))
        tags.save(path, v2_version=3)
    elif format != "wav":
        file = mutagen.File(path)
        file["TITLE"] = "标题"
        file.save()
    write_metadata(path, AigcLabel("", "new"))
    assert independent_values(path) == [AigcLabel("", "new").json()]
    if format == "mp3":
        assert mutagen.id3.ID3(path)["TIT2"].text == ["标题"]
    elif format != "wav":
        assert mutagen.File(path)["TITLE"] == ["标题"]


@pytest.mark.parametrize("length", [1, 2])
def test_an_odd_chunk_is_padded_and_everybody_reads_the_wav(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "a.wav")
    frames = len(soundfile.read(path)[0])
    write_metadata(path, AigcLabel("", "x" * length))
    data = path.read_bytes()
    assert len(data) % 2 == 0
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert data[36:40] == b"AIGC", "right after the format"
    assert len(soundfile.read(path)[0]) == frames
    with wave.open(str(path)) as file:
        assert file.getnframes() == frames
    assert len(samples_of(path)) == frames


def test_a_wrapped_label_is_read_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", label=json.dumps({"AIGC": LABEL.fields()}))
    assert read_metadata(path) == LABEL.fields()
    check(path, LABEL, "end")


def test_two_labels_do_not_pass(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data += riff.chunk(b"AIGC", LABEL.json().encode())
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    path.write_bytes(data)
    assert len(read_all_metadata(path)) == 2
    with pytest.raises(UserError, match="LABEL_MISSING"):
        check(path, LABEL, "end")


def test_a_file_saved_by_another_program_does_not_pass(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples, rate)
    assert read_metadata(path) is None
    with pytest.raises(UserError, match="LABEL_MISSING"):
        check(path, LABEL, "end")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_without_its_audible_label_does_not_pass(tmp_path: Path, format: Any) -> None:
    path = tmp_path / f"a.{format}"
    with AudioWriter(path, format, 24_000, LABEL.json()) as writer:
        writer.write(speech(24_000))
    for position in ("start", "end"):
        with pytest.raises(UserError, match="LABEL_MISSING"):
            check(path, LABEL, position, 24_000)


def test_the_audible_label_must_be_where_it_was_configured(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", position="end")
    for position in ("start", "both"):
        with pytest.raises(UserError, match="LABEL_MISSING"):
            check(path, LABEL, position)


def test_anothers_label_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LABEL_MISSING"):
        check(write(tmp_path / "a.flac"), AigcLabel(CODE, "other"), "end")


def test_a_file_cut_off_does_not_pass(tmp_path: Path) -> None:
    for format in CONTAINERS:
        path = write(tmp_path / f"a.{format}")
        whole = path.read_bytes()
        for length in (20, 60, len(whole) // 2):
            path.write_bytes(whole[:length])
            with pytest.raises(UserError, match="LABEL_MISSING"):
                check(path, LABEL, "end")


def test_broken_files_have_no_label_and_no_place(tmp_path: Path) -> None:
    for name, content in {
        "a.wav": b"RIFF\0\0\0\0WAVE",
        "b.flac": b"fLaC\x04",
        "c.opus": b"OggS" + bytes(40),
        "d.txt": b"x",
    }.items():
        (tmp_path / name).write_bytes(content)
        assert read_metadata(tmp_path / name) is None
        with pytest.raises(NoPlace):
            write_metadata(tmp_path / name, LABEL)
    (tmp_path / "e.mp3").write_bytes(b"ID3\x04\0\0\x7f\x7f\x7f\x7fTXXX\0\0\0\x05")
    assert read_metadata(tmp_path / "e.mp3") is None


def test_the_command_prints_the_label_as_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.opus")
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "webui.audio.aigc_label.label"]
    done = subprocess.run([*command, str(path)], cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == LABEL.fields()
    assert subprocess.run(command, cwd=root, capture_output=True).returncode == 2
    path.write_bytes(b"")
    assert subprocess.run([*command, str(path)], cwd=root, capture_output=True).returncode == 1
