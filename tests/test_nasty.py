"""Hostile and broken files: each ends decoded or refused with a code; none hangs, crashes or reaches out."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from webui.audio import intake
from webui.audio.intake import Decoder
from webui.audio.sniffing import Sniffed
from webui.errors import UserError, codes
from webui.settings import Settings

REFUSALS = {
    "NOT_AUDIO",
    "UNSUPPORTED_FORMAT",
    "BAD_AUDIO",
    "TRUNCATED",
    "NO_AUDIO_STREAM",
    "EMPTY_AUDIO",
}


@pytest.fixture
def decoder(settings: Settings) -> Iterator[Decoder]:
    decoder = Decoder(settings)
    yield decoder
    decoder.close()


def outcome(decoder: Decoder, path: Path) -> str:
    """`decoded`, or the code that refused it at submission or later."""
    try:
        decoder.probe(path, path.name)
        with decoder.decode(path, path.name, channels="split") as decoding:
            frames = sum(len(block) for block in decoding)
    except UserError as error:
        assert set(error.params) <= {"file", "sniffed", "hours"}
        return error.code
    assert frames > 0
    assert {warning.code for warning in decoding.warnings} <= {"TRUNCATED_WARNING", "DAMAGED_WARNING"}
    return "decoded"


def test_every_broken_file_ends_decoded_or_refused_with_a_code(decoder: Decoder, shared: Path) -> None:
    files = sorted((shared / "eval" / "nasty").iterdir())
    with ThreadPoolExecutor(2) as pool:
        outcomes = Counter(pool.map(lambda path: outcome(decoder, path), files))
    assert set(outcomes) <= REFUSALS | {"decoded"}
    assert set(outcomes) <= codes() | {"decoded"}
    assert outcomes["decoded"] >= len(files) * 0.4, outcomes


def test_ordinary_recordings_are_all_decoded(decoder: Decoder, shared: Path) -> None:
    folders = [shared / "eval" / name for name in ("speech/containers", "voiceprompts", "noise")]
    files = [path for folder in folders for path in folder.iterdir()]
    assert {outcome(decoder, path) for path in files} == {"decoded"}


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A port on this machine, TCP and UDP; the list tells who came."""
    visits: list[str] = []
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))

    def accept() -> None:
        try:
            while True:
                connection, _ = tcp.accept()
                visits.append("tcp")
                connection.close()
        except OSError:
            return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield port, visits
    udp.setblocking(False)
    try:
        udp.recv(1)
        visits.append("udp")
    except BlockingIOError:
        pass
    udp.close()
    tcp.shutdown(socket.SHUT_RDWR)
    tcp.close()
    thread.join()


SCRIPTS = {
    "ffconcat": "ffconcat version 1.0\nfile 'secret.wav'\n",
    "concat without its first line": "file 'secret.wav'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "hls naming a file": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.wav\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    '<Representation id="1" bandwidth="1"><BaseURL>http://127.0.0.1:{port}/a.mp4</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "asx": '<asx version="3.0"><entry><ref href="http://127.0.0.1:{port}/a.wma"/></entry></asx>',
    "pls": "[playlist]\nFile1=http://127.0.0.1:{port}/a.mp3\n",
    "address": "http://127.0.0.1:{port}/a.mp3\n",
    "shell": "#!/bin/sh\nexec curl http://127.0.0.1:{port}\n",
}


@pytest.mark.parametrize("extension", ["wav", "mp3", "m4a"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_playlists_and_scripts_are_refused_unread(
    decoder: Decoder, tmp_path: Path, listener: tuple[int, list[str]], script: str, extension: str
) -> None:
    port, visits = listener
    soundfile.write(tmp_path / "secret.wav", np.ones(16_000) * 0.5, 16_000)
    path = tmp_path / f"x.{extension}"
    path.write_text(SCRIPTS[script].format(port=port))
    assert outcome(decoder, path) == "UNSUPPORTED_FORMAT"
    assert visits == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_even_unrecognised_a_script_opens_nothing(
    decoder: Decoder,
    tmp_path: Path,
    listener: tuple[int, list[str]],
    script: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second wall: FFmpeg itself knows no format that names files or addresses."""
    port, visits = listener
    monkeypatch.setattr(intake, "sniff", lambda _path: Sniffed("unknown", "BINARY"))
    soundfile.write(tmp_path / "secret.wav", np.ones(16_000) * 0.5, 16_000)
    (tmp_path / "x.wav").write_text(SCRIPTS[script].format(port=port))
    assert outcome(decoder, tmp_path / "x.wav") == "NOT_AUDIO"
    assert visits == []


def test_an_mp4_whose_sound_lies_in_another_file_does_not_read_it(decoder: Decoder, tmp_path: Path) -> None:
    """A QuickTime data reference to a neighbour ("url " box without the self-contained flag)."""
    source = tmp_path / "secret.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), 12_345, np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = source.read_bytes()
    reference = data.index(b"dref")
    kind = reference + 16
    assert data[kind : kind + 4] in (b"url ", b"alis")
    hostile = bytearray(data)
    hostile[kind + 7] = 0  # no longer self-contained
    sound = data.index(np.full(8, 12_345, "<i2").tobytes())
    hostile[sound : sound + 32_000] = bytes(32_000)
    (tmp_path / "x.mov").write_bytes(hostile)
    try:
        with decoder.decode(tmp_path / "x.mov", "x.mov") as decoding:
            assert not np.concatenate(list(decoding)).any()
    except UserError as error:
        assert error.code in REFUSALS


def test_hours_of_silence_in_a_small_file_stop_at_the_limit(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=8_000, layout="mono")
        for _ in range(180):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 160_000), np.int16), "s16", "mono")
            frame.sample_rate = 8_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert path.stat().st_size < 1_000_000
    decoder = Decoder(settings.model_copy(update={"max_audio_hours": 0.2}))
    try:
        assert outcome(decoder, path) == "TOO_LONG"
    finally:
        decoder.close()


def test_every_cut_of_a_recording_ends_well(decoder: Decoder, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"):
        soundfile.write(tmp_path / name, samples, 16_000)
        whole = (tmp_path / name).read_bytes()
        for length in {1, 4, 11, 12, 20, 43, 44, 45, 60, 100, 200, len(whole) // 2, len(whole) - 1}:
            (tmp_path / f"cut-{name}").write_bytes(whole[:length])
            assert outcome(decoder, tmp_path / f"cut-{name}") in REFUSALS | {"decoded"}


def test_random_damage_ends_well(decoder: Decoder, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        soundfile.write(tmp_path / name, rng.uniform(-0.5, 0.5, 8_000), 16_000)
        whole = np.fromfile(tmp_path / name, np.uint8)
        for _ in range(15):
            broken = whole.copy()
            at = rng.integers(0, min(len(whole), 400), 12)
            broken[at] = rng.integers(0, 256, 12)
            broken.tofile(tmp_path / f"broken-{name}")
            assert outcome(decoder, tmp_path / f"broken-{name}") in REFUSALS | {"decoded"}
