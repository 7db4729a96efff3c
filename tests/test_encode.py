"""Writing: the working copy, the encoders, resampling; what is written is what is read back."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.speech_kit import tone
from webui.audio import working_copy
from webui.audio.encode import AudioWriter
from webui.audio.formats import AUDIO_FORMATS
from webui.audio.resampling import Resampler, resample
from webui.audio.samples import to_int16
from webui.audio.working_copy import WorkingCopy, WorkingCopyWriter

FORMATS = sorted(AUDIO_FORMATS)


def read_back(source: Any, format: str, rate: int) -> tuple[np.ndarray, int]:
    if format == "pcm":
        data = source.read_bytes() if isinstance(source, Path) else source.read()
        return np.frombuffer(data, "<i2") / 32768, rate
    with av.open(str(source) if isinstance(source, Path) else source) as container:
        resampler = av.AudioResampler("flt", "mono")
        pieces = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        return np.concatenate([piece.to_ndarray()[0] for piece in pieces]), pieces[0].sample_rate


def dominant_hz(samples: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_keeps_length_pitch_and_level(tmp_path: Path, format: Any, rate: int) -> None:
    path = tmp_path / f"a.{format}"
    samples = tone(3, rate)
    with AudioWriter(path, format, rate) as writer:
        for at in range(0, len(samples), 777):
            writer.write(samples[at : at + 777])
    found, found_rate = read_back(path, format, rate)
    assert len(found) / found_rate == pytest.approx(3, abs=0.3 if format == "aac" else 0.01)
    middle = found[found_rate : 2 * found_rate]
    assert dominant_hz(middle, found_rate) == pytest.approx(440, abs=2)
    assert np.abs(middle).max() == pytest.approx(0.5, rel=0.1)
    assert not path.with_name(path.name + ".part").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_is_written_forwards_only_and_plays(format: Any) -> None:
    class Answer:
        """An HTTP body: it can be written, never rewound."""

        def __init__(self) -> None:
            self.data = bytearray()

        def write(self, data: bytes) -> int:
            self.data += bytes(data)
            return len(data)

    answer: Any = Answer()
    writer = AudioWriter(answer, format, 24_000)
    for _ in range(20):
        writer.write(tone(0.5, 24_000))
    before_end = len(answer.data)
    writer.close()
    assert before_end > 0.5 * len(answer.data), "the stream must not wait for its end"
    found, rate = read_back(io.BytesIO(bytes(answer.data)), format, 24_000)
    assert len(found) / rate == pytest.approx(10, abs=0.2)


def test_loud_samples_are_clipped_not_wrapped() -> None:
    assert to_int16(np.array([-5, -1, 0, 1, 5], np.float32)).tolist() == [-32767, -32767, 0, 32767, 32767]


@pytest.mark.parametrize("format", ["wav", "flac", "pcm"])
def test_lossless_formats_give_back_every_sample(tmp_path: Path, format: Any) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 10_001).astype(np.float32)
    path = tmp_path / f"a.{format}"
    with AudioWriter(path, format, 24_000) as writer:
        writer.write(samples)
        writer.write(samples[:0])
    found, _ = read_back(path, format, 24_000)
    assert np.array_equal(np.rint(found * 32768), to_int16(samples))


def test_an_exception_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), AudioWriter(tmp_path / "a.mp3", "mp3", 24_000) as writer:
        writer.write(tone(1, 24_000))
        raise RuntimeError
    with pytest.raises(RuntimeError), WorkingCopyWriter(tmp_path / "a.wav") as copy:
        copy.write(np.zeros(10, np.int16))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("format", "label"), [("ogg", None), ("wav", "标识")])
def test_a_writer_that_cannot_begin_leaves_nothing_behind(tmp_path: Path, format: Any, label: str | None) -> None:
    with pytest.raises((KeyError, UnicodeEncodeError)):
        AudioWriter(tmp_path / "a", format, 24_000, label)
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with AudioWriter(path, "wav", 8_000) as writer:
        writer.write(tone(1, 8_000))
        assert path.read_bytes() == b"old"
    assert path.read_bytes()[:4] == b"RIFF"


def test_formats_without_a_place_for_metadata_are_known(tmp_path: Path) -> None:
    assert {name for name, row in AUDIO_FORMATS.items() if not row.metadata} == {"aac", "pcm"}
    with AudioWriter(tmp_path / "a.pcm", "pcm", 8_000, label="{}") as writer:
        writer.write(np.zeros(10, np.float32))
    assert (tmp_path / "a.pcm").stat().st_size == 20


def test_resampling_in_blocks_equals_resampling_at_once() -> None:
    samples = np.random.default_rng(0).standard_normal(48_000).astype(np.float32) * 0.1
    stream = Resampler(24_000, 16_000)
    blocks = [stream.feed(samples[at : at + 1000]) for at in range(0, len(samples), 1000)]
    streamed = np.concatenate([*blocks, stream.finish()])
    assert len(streamed) == 32_000
    assert np.abs(streamed - resample(samples, 24_000, 16_000)).max() < 1e-4


def test_equal_rates_pass_through() -> None:
    samples = tone(1, 16_000)
    stream = Resampler(16_000, 16_000)
    assert stream.feed(samples) is samples
    assert len(stream.finish()) == 0


def test_a_working_copy_reads_back_piece_by_piece(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32767, (48_000, 2)).astype(np.int16)
    with WorkingCopyWriter(tmp_path / "a.wav", channels=2) as writer:
        for at in range(0, len(samples), 7000):
            writer.write(samples[at : at + 7000])
        assert writer.seconds == 3
    copy = WorkingCopy(tmp_path / "a.wav")
    assert (copy.rate, copy.channels, copy.seconds) == (16_000, 2, 3)
    piece = copy.read(1.0, 1.5, channel=1)
    assert piece.dtype == np.float32
    assert np.array_equal(piece * 32768, samples[16_000:24_000, 1])
    assert len(copy.read(2.5, 99)) == 8_000
    assert len(copy.read(-1, 0.5)) == 8_000
    assert len(copy.read(5, 6)) == 0


def test_other_programs_read_a_working_copy(tmp_path: Path) -> None:
    with WorkingCopyWriter(tmp_path / "a.wav") as writer:
        writer.write(np.arange(1000, dtype=np.int16)[:, None])
    assert soundfile.read(tmp_path / "a.wav", dtype="int16")[0].tolist() == list(range(1000))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16_000, 1, 1000)


def test_a_working_copy_takes_float_samples_too(tmp_path: Path) -> None:
    with WorkingCopyWriter(tmp_path / "a.wav", rate=24_000) as writer:
        writer.write(np.array([0, 0.5, -1, 2], np.float32))
    assert soundfile.read(tmp_path / "a.wav", dtype="int16")[0].tolist() == [0, 16384, -32767, 32767]


def test_an_empty_working_copy_is_valid(tmp_path: Path) -> None:
    with WorkingCopyWriter(tmp_path / "a.wav"):
        pass
    assert WorkingCopy(tmp_path / "a.wav").seconds == 0
    assert len(WorkingCopy(tmp_path / "a.wav").read(0, 1)) == 0


def test_what_a_wav_cannot_count_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_copy, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="4 GB"), WorkingCopyWriter(tmp_path / "a.wav") as writer:
        writer.write(np.zeros(60, np.int16))


def test_a_foreign_wav_is_no_working_copy(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1, 8_000), 8_000, subtype="FLOAT")
    with pytest.raises(ValueError, match="16-bit"):
        WorkingCopy(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"hello")
    with pytest.raises(ValueError, match="WAV"):
        WorkingCopy(tmp_path / "b.wav")
