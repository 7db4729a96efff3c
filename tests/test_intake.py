"""Decoding: what the blocks are, what is refused and how, and that a bad file costs that file only."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.speech_kit import tone
from webui.audio import intake, riff
from webui.audio.intake import Decoder
from webui.audio.sniffing import sniff_bytes
from webui.errors import Notice, UserError, codes
from webui.settings import Settings

RATE = 16_000


@pytest.fixture
def decoder(settings: Settings) -> Iterator[Decoder]:
    decoder = Decoder(settings)
    yield decoder
    decoder.close()


def encode(path: Path, codec: str, samples: np.ndarray, rate: int, **options: Any) -> Path:
    """`samples`: float32 (frames, channels)."""
    layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
    with av.open(str(path), "w", **options) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layout)
        stream.codec_context.bit_rate = 64_000
        data = np.ascontiguousarray((samples * 32767).astype(np.int16).reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(data, "s16", layout)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(decoder: Decoder, path: Path, **options: Any) -> tuple[np.ndarray, list[Any]]:
    with decoder.decode(path, path.name, **options) as decoding:
        blocks = list(decoding)
    return np.concatenate(blocks), decoding.warnings


def refusal(decoder: Decoder, path: Path, name: str = "") -> UserError:
    """The error of probing, or else of decoding to the end."""
    with pytest.raises(UserError) as caught:
        decoder.probe(path, name or path.name)
        decoded(decoder, path)
    assert caught.value.code in codes()
    return caught.value


def dominant_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 44100),
        ("a.wav", "pcm_alaw", 8000),
        ("a.wav", "pcm_mulaw", 8000),
        ("a.wav", "pcm_f32le", 48000),
        ("a.wav", "adpcm_ima_wav", 22050),
        ("a.mp3", "libmp3lame", 44100),
        ("a.m4a", "aac", 44100),
        ("a.aac", "aac", 48000),
        ("a.flac", "flac", 16000),
        ("a.opus", "libopus", 48000),
        ("a.webm", "libopus", 48000),
        ("a.amr", "libopencore_amrnb", 8000),
        ("a.3gp", "libopencore_amrnb", 8000),
        ("a.asf", "wmav2", 44100),
        ("a.caf", "pcm_s16be", 44100),
        ("a.aiff", "pcm_s16be", 44100),
        ("a.w64", "pcm_s16le", 32000),
        ("a.avi", "libmp3lame", 44100),
        ("a.flv", "aac", 44100),
        ("a.ts", "aac", 44100),
        ("a.au", "pcm_s16be", 8000),
        ("a.wv", "wavpack", 44100),
        ("a.tta", "tta", 44100),
    ],
)
def test_what_phones_recorders_and_video_tools_write_is_decoded(
    decoder: Decoder, tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    try:
        av.codec.Codec(codec, "w")
    except ValueError:
        pytest.skip(f"this FFmpeg does not encode {codec}")
    path = encode(tmp_path / name, codec, tone(2, rate)[:, None], rate)
    info = decoder.probe(path, name)
    assert (info.rate, info.channels) == (rate, 1)
    samples, warnings = decoded(decoder, path)
    assert warnings == []
    assert samples.dtype == np.int16
    assert samples.shape[1] == 1
    assert len(samples) / RATE == pytest.approx(2, abs=0.15)
    assert dominant_hz(samples[RATE // 2 : RATE * 3 // 2, 0]) == pytest.approx(440, abs=3)
    assert np.abs(samples[RATE // 2 : RATE * 3 // 2]).max() == pytest.approx(16384, rel=0.2)


def test_no_sample_is_lost_or_made_up(decoder: Decoder, tmp_path: Path) -> None:
    """The resampler is flushed: 3 s at 44.1 kHz are 48 000 samples at 16 kHz."""
    soundfile.write(tmp_path / "a.wav", tone(3, 44100), 44100)
    assert len(decoded(decoder, tmp_path / "a.wav")[0]) == 48_000
    exact = (np.arange(16_000) % 2000 - 1000).astype(np.int16)
    soundfile.write(tmp_path / "b.wav", exact, 16_000)
    assert np.array_equal(decoded(decoder, tmp_path / "b.wav")[0][:, 0], exact)


def test_channels_are_mixed_or_kept_apart(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, np.stack([tone(2, 8000, 300), tone(2, 8000, 1000)], 1), 8000)
    split, _ = decoded(decoder, path, channels="split")
    assert split.shape == (32_000, 2)
    assert [dominant_hz(split[:, n]) for n in range(2)] == pytest.approx([300, 1000], abs=2)
    mix, _ = decoded(decoder, path)
    assert mix.shape == (32_000, 1)
    assert np.abs(mix).max() < 32_000


def test_of_several_sound_tracks_one_is_taken(decoder: Decoder, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        streams: list[Any] = [container.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(3)]
        for number, stream in enumerate(streams):
            data = (tone(2, 16_000, 300 + 200 * number) * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(data, "s16", "mono")
            frame.sample_rate = 16_000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    assert decoder.probe(tmp_path / "a.mkv", "a.mkv").streams == 3
    samples, _ = decoded(decoder, tmp_path / "a.mkv")
    assert dominant_hz(samples[:, 0]) in (
        pytest.approx(300, abs=2),
        pytest.approx(500, abs=2),
        pytest.approx(700, abs=2),
    )


def test_a_recording_that_changes_shape_in_the_middle_keeps_its_first_shape(decoder: Decoder, tmp_path: Path) -> None:
    """Two ADTS recordings in one file: mono at 16 kHz, then stereo at 48 kHz."""
    first = encode(tmp_path / "a.aac", "aac", tone(2, 16_000)[:, None], 16_000).read_bytes()
    second = encode(tmp_path / "b.aac", "aac", np.stack([tone(2, 48_000)] * 2, 1), 48_000).read_bytes()
    (tmp_path / "c.aac").write_bytes(first + second)
    samples, _ = decoded(decoder, tmp_path / "c.aac", channels="split")
    assert samples.shape[1] == 1
    assert len(samples) / RATE == pytest.approx(4.2, abs=0.2)
    for start in (RATE // 2, 3 * RATE):
        assert dominant_hz(samples[start : start + RATE, 0]) == pytest.approx(440, abs=3)


def test_the_rate_can_be_chosen(decoder: Decoder, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1, 48000), 48000)
    assert len(decoded(decoder, tmp_path / "a.wav", rate=24_000)[0]) == 24_000


def test_nan_and_infinity_become_silence(decoder: Decoder, tmp_path: Path) -> None:
    samples = tone(1, 16_000)
    samples[4000:4010] = np.nan
    samples[8000] = np.inf
    samples[9000] = 1e-42
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    found, _ = decoded(decoder, tmp_path / "a.wav")
    assert not found[4000:4010].any()
    assert found[8000] == 0
    assert np.abs(found).max() <= 16_384


@pytest.mark.parametrize("name", ["message.al", "message.ul"])
def test_headerless_telephone_recordings_are_told_by_their_name(decoder: Decoder, tmp_path: Path, name: str) -> None:
    codec = "pcm_alaw" if name.endswith("al") else "pcm_mulaw"
    silence = np.zeros(12_000, np.float32)  # of bytes that look like 8-bit text, or like MPEG's first two
    wav = encode(tmp_path / "a.wav", codec, np.concatenate([silence, tone(2, 8000)])[:, None], 8000)
    with wav.open("rb") as file:
        data = next(chunk for chunk in riff.chunks(file) if chunk.kind == b"data")
    stored = tmp_path / "original"
    stored.write_bytes(wav.read_bytes()[data.offset :])
    with decoder.decode(stored, name) as decoding:
        samples = np.concatenate(list(decoding))
    assert len(samples) / RATE == pytest.approx(3.5, abs=0.01)
    assert dominant_hz(samples[:, 0]) == pytest.approx(440, abs=2)


def test_a_cut_off_recording_gives_its_start_and_a_warning(decoder: Decoder, tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, np.random.default_rng(0).uniform(-1, 1, 48_000), 16_000)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        samples, warnings = decoded(decoder, tmp_path / name)
        assert 1 < len(samples) / RATE < 2
        assert Notice("TRUNCATED_WARNING", {"seconds": round(len(samples) / RATE, 1)}) in warnings


def test_a_recorder_that_did_not_know_the_length_is_not_called_cut_off(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(riff.header(16_000, 1, None) + bytes(32_000))
    samples, warnings = decoded(decoder, tmp_path / "a.wav")
    assert (len(samples), warnings) == (16_000, [])


def test_a_header_that_claims_four_gigabytes_is_flagged(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(riff.header(16_000, 1, 0xFFFFFFF0 - 100) + bytes(3200))
    samples, warnings = decoded(decoder, tmp_path / "a.wav")
    assert (len(samples), warnings) == (1600, [Notice("TRUNCATED_WARNING", {"seconds": 0.1})])


def test_an_mp3_cut_in_the_middle_is_said_to_be_so(decoder: Decoder, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp3", "libmp3lame", tone(5, 44100)[:, None], 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples, warnings = decoded(decoder, path)
    assert 2 < len(samples) / RATE < 3
    assert [warning.code for warning in warnings] == ["TRUNCATED_WARNING"]


@pytest.mark.parametrize("codec", ["OPUS", "VORBIS"])
def test_an_ogg_without_its_last_page_is_said_to_be_cut_off(decoder: Decoder, tmp_path: Path, codec: str) -> None:
    """RFC 3533: the last page of a stream is marked; nothing else in an Ogg file tells its length."""
    path = tmp_path / "a.ogg"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * 48_000)
    soundfile.write(path, noise, 48_000, format="OGG", subtype=codec)
    whole = path.read_bytes()
    assert decoded(decoder, path)[1] == []
    for rest in (whole[: len(whole) // 2], whole[: whole.rindex(b"OggS")], whole[:-1]):
        path.write_bytes(rest)
        samples, warnings = decoded(decoder, path)
        assert 1 < len(samples) / RATE <= 5.1
        assert "TRUNCATED_WARNING" in {warning.code for warning in warnings}


def test_what_follows_a_whole_ogg_does_not_make_it_cut_off(decoder: Decoder, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.opus", "libopus", tone(3, 48000)[:, None], 48000)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert decoded(decoder, path)[1] == []


@pytest.mark.parametrize(("bits", "frame"), [(1, 0), (1, 2), (63, 2), (63, 7), (12, 4)])
def test_a_wav_whose_sample_width_cannot_be_is_refused(decoder: Decoder, tmp_path: Path, bits: int, frame: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(bits, frame) + bytes(32_000))
    assert refusal(decoder, path).code == "BAD_AUDIO"


@pytest.mark.parametrize(("bits", "frame"), [(16, 2), (12, 2), (5, 1), (20, 3)])
def test_an_odd_sample_width_that_fits_its_frames_is_decoded(
    decoder: Decoder, tmp_path: Path, bits: int, frame: int
) -> None:
    """Samples of 12 bits are kept in 16."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav_header(bits, frame) + bytes(16_000 * frame))
    assert len(decoded(decoder, path)[0]) == 16_000


def wav_header(bits: int, frame: int) -> bytes:
    """Of mono PCM at 16 kHz, without saying how long it is."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * frame, frame, bits)
    unknown = struct.pack("<I", 0xFFFFFFFF)
    return b"RIFF" + unknown + b"WAVE" + form + b"data" + unknown


def test_an_mp4_without_its_index_is_incomplete(decoder: Decoder, tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "aac", tone(5, 44100)[:, None], 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(decoder, path).code == "TRUNCATED"


def test_damage_in_the_middle_is_skipped_and_counted(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 160_000), 16_000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    samples, warnings = decoded(decoder, path)
    assert len(samples) / RATE > 5
    assert {"DAMAGED_WARNING", "TRUNCATED_WARNING"} & {warning.code for warning in warnings}


def test_a_video_without_sound_is_named_so(decoder: Decoder, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    assert refusal(decoder, tmp_path / "a.mp4").code == "NO_AUDIO_STREAM"


@pytest.mark.parametrize("name", ["a.wav", "a.ul", "a"])
def test_a_file_of_no_bytes_is_empty(decoder: Decoder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert refusal(decoder, tmp_path / name).code == "EMPTY_AUDIO"


@pytest.mark.parametrize(("peak", "codes"), [(2.0, ["OVER_FULL_SCALE"]), (1.5, ["OVER_FULL_SCALE"]), (1.0, [])])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_beyond_full_scale_are_cut_off_with_a_warning(
    decoder: Decoder, tmp_path: Path, peak: float, codes: list[str], subtype: str
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(2, RATE) * 2 * peak, RATE, subtype=subtype)
    samples, warnings = decoded(decoder, tmp_path / "a.wav")
    assert len(samples) == 2 * RATE and np.abs(samples.astype(int)).max() >= 32767
    assert [warning.code for warning in warnings] == codes


def test_what_a_lossy_codec_overshoots_is_no_fault_of_the_recording(decoder: Decoder, tmp_path: Path) -> None:
    loud = np.sign(tone(2, 44_100))[:, None] * np.float32(0.999)
    assert decoded(decoder, encode(tmp_path / "a.mp3", "libmp3lame", loud, 44_100))[1] == []


def test_a_wav_without_samples_is_empty(decoder: Decoder, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(riff.header(16_000, 1, 0))
    assert refusal(decoder, tmp_path / "a.wav").code == "EMPTY_AUDIO"


@pytest.mark.parametrize(
    ("content", "sniffed"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"%PDF-1.7\n" + bytes(100), "PDF"),
        (b"MZ\x90\x00" + bytes(100), "EXE"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        ("会议纪要\n第一项".encode(), "TXT"),
        ("会议纪要，第一项，关于本年度工作安排的说明。\n".encode("gb18030") * 3, "TXT (8-bit)"),
        ("会议纪要".encode("utf-16"), "TXT"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b'{"a": 1}', "JSON"),
        (bytes(range(256)) * 3, "BINARY"),
    ],
)
def test_what_is_no_audio_is_named(decoder: Decoder, tmp_path: Path, content: bytes, sniffed: str) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    error = refusal(decoder, tmp_path / "x.wav", "录音.wav")
    assert (error.code, error.params) == ("NOT_AUDIO", {"file": "录音.wav", "sniffed": sniffed})


def test_a_missing_file_is_named_so(decoder: Decoder, tmp_path: Path) -> None:
    assert refusal(decoder, tmp_path / "gone.wav").code == "MISSING_INPUT"


def test_amr_is_not_taken_for_a_script() -> None:
    assert sniff_bytes(b"#!AMR\n" + bytes(20)).kind == "audio"
    assert sniff_bytes(b"#!/bin/sh\nrm -rf /").kind == "unsupported"
    assert sniff_bytes(b"\x02#!SILK_V3" + bytes(9)).kind == "unsupported"


def test_the_limit_counts_decoded_length_not_the_header(tmp_path: Path, settings: Settings) -> None:
    """A header that claims seconds over two hours of samples; memory stays as it was."""
    decoder = Decoder(settings.model_copy(update={"max_audio_hours": 0.5}))
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(riff.header(8_000, 1, 2 * 3600 * 16_000))
        file.truncate(2 * 3600 * 16_000)
    assert decoder.probe(path, "long.wav").seconds == pytest.approx(7200, abs=1)
    with pytest.raises(UserError) as caught, decoder.decode(path, "long.wav") as decoding:
        for _ in decoding:
            pass
    assert (caught.value.code, caught.value.params) == ("TOO_LONG", {"file": "long.wav", "hours": 0.5})
    assert peak_memory_kb(decoder._idle[0]) < 300_000
    decoder.close()


def test_one_hertz_cannot_grow_into_gigabytes(decoder: Decoder, tmp_path: Path) -> None:
    for rate, channels in ((1, 1), (0, 1), (2**32 - 1, 1), (16_000, 0), (16_000, 255), (16_000, 9)):
        head = bytearray(riff.header(16_000, 1, 3200))
        head[22:28] = struct.pack("<HI", channels, rate)
        (tmp_path / "a.wav").write_bytes(bytes(head) + bytes(3200))
        assert refusal(decoder, tmp_path / "a.wav").code in ("BAD_AUDIO", "UNSUPPORTED_FORMAT")


def test_several_recordings_are_decoded_at_once(decoder: Decoder, tmp_path: Path) -> None:
    found: dict[int, float] = {}

    def work(n: int) -> None:
        soundfile.write(tmp_path / f"{n}.wav", tone(2, 8000, 200 + 100 * n), 8000)
        found[n] = dominant_hz(decoded(decoder, tmp_path / f"{n}.wav")[0][:, 0])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(4)] == pytest.approx([200, 300, 400, 500], abs=2)
    assert len(decoder._idle) <= intake.MOST_IDLE


def child_of(decoder: Decoder, path: Path) -> int:
    decoder.probe(path, "a.wav")
    return decoder._idle[-1]._process.pid


def peak_memory_kb(child: Any) -> int:
    status = Path(f"/proc/{child._process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.tile(tone(60, 16_000), 20), 16_000)
    return tmp_path / "a.wav"


def test_a_decoder_that_crashes_costs_one_file(decoder: Decoder, recording: Path) -> None:
    with pytest.raises(UserError, match="DECODER_FAILED"), decoder.decode(recording, "a.wav") as decoding:
        for _ in decoding:
            assert decoding._child is not None
            os.kill(decoding._child._process.pid, signal.SIGSEGV)
    assert len(decoded(decoder, recording)[0]) == 1200 * RATE


def test_a_decoder_that_hangs_is_killed(decoder: Decoder, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = child_of(decoder, recording)
    monkeypatch.setattr(intake, "SILENCE_SECONDS", 0.3)
    os.kill(pid, signal.SIGSTOP)
    assert refusal(decoder, recording).code == "DECODER_FAILED"
    assert not Path(f"/proc/{pid}").exists()


def test_a_decoder_that_takes_too_much_time_for_too_little_sound_is_ended(
    decoder: Decoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stingy = "decoder_child.CPU_SECONDS, decoder_child.CPU_PER_SECOND = 1.0, 0.0; decoder_child.main()"
    monkeypatch.setattr(intake, "START", intake.START.replace("decoder_child.main()", stingy))
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(riff.header(44_100, 1, 0x70000000))
        file.truncate(0x70000000)
    with pytest.raises(UserError, match="BAD_AUDIO"), decoder.decode(tmp_path / "long.wav", "a.wav") as decoding:
        for _ in decoding:
            pass


def test_a_decoder_that_died_while_idle_is_replaced(decoder: Decoder, recording: Path) -> None:
    os.kill(child_of(decoder, recording), signal.SIGKILL)
    decoder._idle[-1]._process.wait()
    assert decoder.probe(recording, "a.wav").rate == RATE


def test_leaving_early_ends_the_child(decoder: Decoder, recording: Path) -> None:
    with decoder.decode(recording, "a.wav") as decoding:
        next(iter(decoding))
        assert decoding._child is not None
        pid = decoding._child._process.pid
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="needs /proc")
def test_the_child_has_given_up_what_it_does_not_need(decoder: Decoder, recording: Path) -> None:
    process = Path(f"/proc/{child_of(decoder, recording)}")
    limits = {line[:26].strip(): line[26:47].strip() for line in (process / "limits").read_text().splitlines()}
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"
    assert limits["Max open files"] == "32"
    assert limits["Max address space"] != "unlimited"
    assert limits["Max cpu time"] != "unlimited"
    assert "NoNewPrivs:\t1" in (process / "status").read_text()
    assert b"SHENGFANG" not in (process / "environ").read_bytes()


def test_however_many_files_are_looked_at_few_children_live(decoder: Decoder, tmp_path: Path) -> None:
    file = encode(tmp_path / "a.wav", "pcm_s16le", tone(1, RATE)[:, None], RATE)
    children: set[str] = set()
    threads = [threading.Thread(target=decoder.probe, args=(file, "a.wav")) for _ in range(12)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        children |= {pid for pid in decoders_alive() if pid not in children}
    assert 0 < len(children) <= intake.MOST_PROBES


def decoders_alive() -> Iterator[str]:
    """The numbers of this process' decoders."""
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in children.read_text().split():
                if b"decoder_child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    yield pid
