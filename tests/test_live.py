"""A sentence's samples can be read while they are written, and once more when it is begun anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from webui.jobs.live import LiveReader, LiveWriter, live_file


def ramp(start: int, end: int) -> np.ndarray:
    return np.arange(start, end, dtype=np.float32)


def heard(reader: LiveReader) -> np.ndarray:
    return np.concatenate([*reader.new(), ramp(0, 0)])


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    path = live_file(tmp_path / "00003.wav")
    assert path.name == "00003.live"
    with LiveWriter(path) as writer:
        reader = LiveReader(path)
        assert len(heard(reader)) == 0
        for start, end in ((0, 10), (10, 200_000)):
            writer.write(ramp(start, end))
            np.testing.assert_array_equal(heard(reader), ramp(start, end))
    reader.close()


def test_a_file_that_is_gone_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.live"
    with LiveWriter(path) as writer:
        writer.write(ramp(0, 5))
        reader = LiveReader(path)
        writer.write(ramp(5, 9))
        path.unlink()
    np.testing.assert_array_equal(heard(reader), ramp(0, 9))
    reader.close()


def test_a_sentence_begun_anew_goes_on_where_it_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.live"
    with LiveWriter(path) as writer:
        writer.write(ramp(0, 5))
    reader = LiveReader(path)
    assert len(heard(reader)) == 5
    with LiveWriter(path) as writer:
        writer.write(ramp(0, 3))
        assert len(heard(reader)) == 0
        writer.write(ramp(3, 8))
        np.testing.assert_array_equal(heard(reader), ramp(5, 8))
    reader.close()


def test_half_a_sample_waits_for_its_other_half(tmp_path: Path) -> None:
    path = tmp_path / "a.live"
    path.write_bytes(ramp(0, 2).tobytes()[:6])
    reader = LiveReader(path)
    assert len(heard(reader)) == 1
    path.write_bytes(ramp(0, 2).tobytes())
    np.testing.assert_array_equal(heard(reader), ramp(1, 2))
    reader.close()


def test_there_is_no_reading_before_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LiveReader(tmp_path / "a.live")
