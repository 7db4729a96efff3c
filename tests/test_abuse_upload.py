"""What hostile clients send as files: slow, cut off, doubled, oversized, odd inside, oddly named; case by case."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import av
import httpx
import numpy as np
import pytest
import soundfile

from tests.api_kit import RATE, Server, code, finish, serving, submit, wav
from tests.jobs_kit import buzz
from webui.server import guard

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="cut.wav"\r\n\r\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), max_upload_bytes=8 * 2**20) as server:
        yield server


def begin(server: Server, length: int | None = 10**6) -> socket.socket:
    """A connection on which an upload has begun; without `length` its body is chunked."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=20)
    size = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    connection.sendall(
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        + size
        + b"\r\n\r\n"
    )
    return connection


def incoming(server: Server) -> list[Path]:
    return [path for path in (server.services.settings.cache / "incoming").glob("*") if path.is_file()]


def emptied(server: Server) -> bool:
    deadline = time.monotonic() + 15
    while incoming(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not incoming(server)


def jobs_of(client: httpx.Client) -> list[str]:
    return [job["id"] for job in client.get("/api/v1/jobs").json()["jobs"]]


def test_a_script_that_names_another_file_is_refused_and_nothing_of_that_file_comes_out(
    server: Server, client: httpx.Client
) -> None:
    """case 1"""
    uid = submit(client, ("mine.wav", wav(1))).json()["jobs"][0]["id"]
    other = server.services.settings.uploads / uid / "original.wav"
    script = f"ffconcat version 1.0\nfile '{other}'\n".encode()
    response = submit(client, ("x.wav", script))
    assert code(response) == (422, "UNSUPPORTED_FORMAT")
    assert str(other.parent) not in response.text
    assert jobs_of(client) == [uid]


@pytest.mark.parametrize("name", ["x.mp3", "x.wav", "x.m4a"])
@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    ],
    ids=["hls", "dash", "sdp"],
)
def test_playlists_reach_nobody(client: httpx.Client, name: str, content: str) -> None:
    """case 2"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        began = time.monotonic()
        response = submit(client, (name, content.format(port=listener.getsockname()[1]).encode()))
        assert time.monotonic() - began < 10
        assert code(response) == (422, "UNSUPPORTED_FORMAT")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_day_of_silence_in_a_small_file_fails_as_too_long(tmp_path: Path) -> None:
    """case 3 (the memory of the decoder is looked at in test_nasty)"""
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as file:
        for _ in range(20):
            file.write(np.zeros(8000 * 60, np.int16))
    with serving(tmp_path, max_audio_hours=0.25) as server, server.browser() as client:
        response = submit(client, ("long.flac", path.read_bytes()))
        if response.status_code == 202:
            job = finish(client, response.json()["jobs"][0]["id"])
            assert (job["state"], job["error"]["code"]) == ("failed", "TOO_LONG")
        else:
            assert code(response) == (422, "TOO_LONG")


def header(rate: int = RATE, channels: int = 1, bits: int = 16, claimed: int | None = None, body: bytes = b"") -> bytes:
    """A WAV whose header says what it is told to."""
    size = len(body) if claimed is None else claimed
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, (rate * block) % 2**32, block % 2**16, bits)
    return (
        struct.pack("<4sI4s", b"RIFF", (size + 36) % 2**32, b"WAVE") + form + struct.pack("<4sI", b"data", size) + body
    )


@pytest.mark.parametrize(
    "lie",
    [
        {"rate": 0},
        {"rate": 1},
        {"rate": 2**32 - 1},
        {"channels": 0},
        {"channels": 255},
        {"channels": 65535},
        {"bits": 0},
        {"bits": 1},
        {"bits": 63},
    ],
    ids=str,
)
def test_impossible_headers_are_refused_without_a_trace_of_the_decoder(
    client: httpx.Client, lie: dict[str, int]
) -> None:
    """case 4"""
    response = submit(client, ("a.wav", header(**lie, body=bytes(3200))))
    error = response.json().get("error")
    if response.status_code == 202:
        job = finish(client, response.json()["jobs"][0]["id"])
        error = job["error"]
    assert error["code"] in ("BAD_AUDIO", "EMPTY_AUDIO", "NO_AUDIO_STREAM", "UNSUPPORTED_FORMAT")
    assert not {"Traceback", "libav", "Errno", "/"} & set(error["message"].split())


def test_a_header_that_claims_four_gigabytes_gives_what_is_there_and_says_so(client: httpx.Client) -> None:
    """case 5"""
    body = (buzz(1.0) * 32767).astype("<i2").tobytes()
    job = submit(client, ("a.wav", header(claimed=4_000_000_000, body=body))).json()["jobs"][0]
    job = finish(client, job["id"])
    assert job["duration_s"] == pytest.approx(1, abs=0.1)
    assert [warning["code"] for warning in job["warnings"]] == ["TRUNCATED_WARNING"]


def test_half_an_mp3_is_still_transcribed(client: httpx.Client) -> None:
    """case 6"""
    whole = encoded("mp3", buzz(6.0))
    job = finish(client, submit(client, ("half.mp3", whole[: len(whole) // 2])).json()["jobs"][0]["id"])
    assert job["state"] == "done"
    assert 1 < job["duration_s"] < 5


def test_an_mp4_without_its_index_is_said_to_be_cut_off(client: httpx.Client) -> None:
    """case 6"""
    whole = encoded("mp4", buzz(3.0))
    response = submit(client, ("cut.m4a", whole[: len(whole) // 2]))
    assert code(response)[1] in ("TRUNCATED", "BAD_AUDIO")


def encoded(container: str, *tracks: np.ndarray) -> bytes:
    """An MP3, or an MP4 with several sound tracks."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        streams = [file.add_stream("mp3" if container == "mp3" else "aac", rate=RATE, layout="mono") for _ in tracks]
        for stream, samples in zip(streams, tracks, strict=True):
            for at in range(0, len(samples), 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], "fltp", "mono")
                frame.sample_rate, frame.pts = RATE, at
                file.mux(stream.encode(frame))
        for stream in streams:
            file.mux(stream.encode(None))
    return buffer.getvalue()


def test_numbers_that_are_none_are_silence_in_the_middle_of_a_finished_job(client: httpx.Client) -> None:
    """case 7"""
    samples = np.concatenate([buzz(1.0), np.full(RATE // 4, np.nan, np.float32), buzz(1.0, 2)])
    samples[RATE * 2 :: 500] = np.inf
    samples[RATE // 2 : RATE // 2 + 50] = 1e-42
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="FLOAT")
    job = finish(client, submit(client, ("nan.wav", buffer.getvalue())).json()["jobs"][0]["id"])
    assert job["state"] == "done"
    played, _ = soundfile.read(io.BytesIO(client.get(f"/api/v1/jobs/{job['id']}/audio").content))
    assert np.isfinite(played).all()
    assert np.abs(played[RATE + 400 : RATE + 3600]).max() == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ("EMPTY_AUDIO",)),
        (b"just some words\n" * 50, ("NOT_AUDIO",)),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ("NOT_AUDIO",)),
        (b"%PDF-1.7\n" + bytes(100), ("NOT_AUDIO",)),
        (b"MZ\x90\0" + bytes(200), ("NOT_AUDIO",)),
        (b"\x7fELF" + bytes(200), ("NOT_AUDIO",)),
        (b"<svg onload=alert(1)>" + bytes(20), ("NOT_AUDIO", "UNSUPPORTED_FORMAT")),
    ],
    ids=["empty", "text", "png", "pdf", "exe", "elf", "svg"],
)
def test_what_only_has_the_name_of_audio_is_refused(
    client: httpx.Client, content: bytes, expected: tuple[str, ...]
) -> None:
    """case 8"""
    response = submit(client, ("speech.mp3", content))
    assert code(response)[0] == 422
    assert code(response)[1] in expected
    assert jobs_of(client) == []


def test_of_three_sound_tracks_the_first_is_heard(client: httpx.Client) -> None:
    """case 9"""
    tracks = (buzz(1.5), np.zeros(RATE, np.float32), np.zeros(RATE, np.float32))
    job = finish(client, submit(client, ("film.mp4", encoded("mp4", *tracks))).json()["jobs"][0]["id"])
    assert job["state"] == "done"
    assert job["duration_s"] == pytest.approx(1.5, abs=0.2)
    assert job["text"]


def test_a_body_without_a_length_is_cut_at_the_limit_and_its_file_removed(server: Server) -> None:
    """case 10"""
    with begin(server, None) as connection:
        connection.settimeout(20)
        connection.sendall(b"%x\r\n" % len(HEAD) + HEAD + b"\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(24):
                connection.sendall(b"%x\r\n" % 2**20 + bytes(2**20) + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert b" 413 " in connection.recv(4096).partition(b"\r\n")[0]
    assert emptied(server)


def test_a_length_beyond_the_limit_is_answered_before_the_body(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """case 10"""
    monkeypatch.setattr(guard, "LINGER_S", 0.5)
    with begin(server, 10**12) as connection:
        assert b" 413 " in connection.recv(4096).partition(b"\r\n")[0]
    assert incoming(server) == []


def test_uploads_cut_off_by_a_reset_leave_nothing(server: Server) -> None:
    """case 11"""
    before = server.services.jobs._store.counts()
    for sent in range(20):
        connection = begin(server)
        connection.sendall(HEAD + bytes(3000 * sent))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert emptied(server)
    assert server.services.jobs._store.counts() == before


def test_who_drips_bytes_is_given_up_while_others_are_served(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """case 12"""
    monkeypatch.setattr(guard, "IDLE_S", 1.0)
    drips = [begin(server) for _ in range(20)]
    stop = threading.Event()

    def drip(connection: socket.socket) -> bytes:
        with contextlib.suppress(OSError):
            connection.sendall(HEAD)
            while not stop.wait(0.1):
                connection.sendall(b"x")
        connection.settimeout(1)
        with contextlib.suppress(OSError):
            return connection.recv(4096)
        return b""

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(drip, connection) for connection in drips]
        with server.api() as client:
            slowest = 0.0
            while incoming(server) or slowest == 0.0:
                began = time.monotonic()
                assert client.get("/api/v1/jobs").status_code == 200
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.1)
        assert emptied(server)
        stop.set()
        got = [answer.result() for answer in answers]
    for connection in drips:
        connection.close()
    assert any(b" 408 " in answer.partition(b"\r\n")[0] for answer in got)
    assert slowest < 5


def test_a_double_click_is_one_job(server: Server, client: httpx.Client) -> None:
    """case 13"""
    content, headers = wav(1), {"idempotency-key": "click"}

    def send(_: int) -> str:
        response = httpx.post(
            f"{server.url}/api/v1/jobs",
            data={"kind": "transcribe"},
            files={"file": ("a.wav", content)},
            headers=headers,
            cookies=dict(client.cookies),
            timeout=30,
        )
        return str(response.json()["jobs"][0]["id"])

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(send, range(6)))) == 1
    assert len(jobs_of(client)) == 1
    folders = {path.name for path in server.services.settings.uploads.iterdir()}
    with server.services.database.read() as connection:
        known = set(connection.exec_driver_sql("SELECT uid FROM jobs").scalars())
    assert folders <= known


NAMES = [
    "../../etc/cron.d/x.wav",
    "..\\..\\x.wav",
    "a\0b.wav",
    "字" * 1300 + ".wav",
    "CON.wav",
    "\u202egpj.wav",
    "a\u200b\u2066\ufeffb.wav",
    "line\r\nX-Evil: 1.wav",
    "\x1b[31mred.wav",
    '"quoted"; x=".wav',
    "=HYPERLINK(1).wav",
    "%2e%2e%2fx.wav",
    ".wav",
    "",
]


def test_hostile_names_are_harmless_wherever_they_come_out(server: Server, client: httpx.Client) -> None:
    """cases 14, 15, 17"""
    batch = os.urandom(16).hex()
    content = wav(0.6)
    for name in NAMES:
        head = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        fields = head % (b"kind", b"transcribe") + head % (b"batch", batch.encode())
        long = len(name) > 1000  # a part's header may have 4 KB
        given = f'filename="{name}"' if long else f"filename*=utf-8''{quote(name) or '%20'}"
        named = f'--b\r\nContent-Disposition: form-data; name="file"; {given}\r\n\r\n'
        body = fields + named.encode() + content + b"\r\n--b--\r\n"
        response = client.post(
            "/api/v1/jobs", content=body, headers={"content-type": "multipart/form-data; boundary=b"}
        )
        assert response.status_code == 202, (name[:40], response.text)
        uid = response.json()["jobs"][0]["id"]
        finish(client, uid)
        for path in (f"/jobs/{uid}/result.txt", f"/jobs/{uid}/audio?download=1"):
            download = client.get(f"/api/v1{path}")
            assert "x-evil" not in download.headers
            assert download.headers["content-disposition"].isascii()
        files = {path.name for path in (server.services.settings.uploads / uid).iterdir()}
        assert files <= {"original.wav", "original", "audio.wav"}
    jobs = client.get("/api/v1/jobs").json()["jobs"]
    shown = [job["file_name"] for job in jobs]
    rows = client.get("/api/v1/history.csv").content.decode("utf-8-sig")
    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/v1/batches/{batch}/result.zip").content)) as archive:
        entries = archive.namelist()
    assert len(entries) == len(set(entries)) == len(NAMES)
    for text in (*shown, *entries):
        assert len(text.encode()) <= 160
        assert not set(text) & set('/\\\0\r\n\x1b\u202e\u2066\u200b\ufeff"')
        assert not text.upper().startswith("CON.")
    assert "\u202e" not in rows
    assert "'=HYPERLINK(1).wav" in rows


def test_the_name_of_an_archive_is_made_safe_in_the_refusal(client: httpx.Client) -> None:
    """case 15"""
    response = submit(client, ("\u202e" + "x" * 4000 + ".zip", b"PK\x03\x04junk"))
    assert code(response) == (422, "BAD_ARCHIVE")
    assert len(response.text) < 1500
    assert "\u202e" not in response.text


def zipped(*entries: tuple[str, bytes], **options: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def lying(content: bytes, size: int) -> bytes:
    """The archive with its first entry claiming `size` bytes unpacked, in both places."""
    data = bytearray(content)
    data[22:26] = struct.pack("<I", size)
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", size)
    return bytes(data)


def link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a.wav")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        lambda: zipped(("bomb.wav", bytes(300 * 2**20))),
        lambda: lying(zipped(("a.wav", wav(1))), 10),
        lambda: zipped(("inner.wav", zipped(("a.wav", b"x")))),
        link,
        lambda: zipped(*((f"{n}.wav", b"") for n in range(20_000))),
        lambda: zipped(("../../../etc/passwd", b"root:x:0:0")),
    ],
    ids=["bomb", "lie", "nested", "symlink", "20k entries", "traversal"],
)
def test_hostile_archives_are_refused_and_leave_nothing(server: Server, client: httpx.Client, make: object) -> None:
    """case 18"""
    response = submit(client, ("a.zip", make()))  # type: ignore[operator]
    assert code(response)[0] in (413, 422)
    assert code(response)[1] in ("BAD_ARCHIVE", "NOT_AUDIO", "TOO_LARGE")
    assert incoming(server) == []
    assert jobs_of(client) == []


def test_doubled_and_chinese_names_in_an_archive_are_jobs_of_their_own(client: httpx.Client) -> None:
    """case 18"""
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped(("x/会议.wav", wav(0.5)), ("y/会议.wav", wav(0.5, 1)), ("x/会议.wav", wav(0.5, 2)))
    answer = submit(client, ("a.zip", content)).json()
    assert [job["file_name"] for job in answer["jobs"]] == ["会议.wav"] * 3


def test_a_batch_of_500_is_taken_and_listed_in_pages(tmp_path: Path) -> None:
    """case 46"""
    content = zipped(*((f"{n:03}.wav", wav(0.2)) for n in range(500)))
    with serving(tmp_path, workers=False) as server, server.browser() as client:
        answer = submit(client, ("500.zip", content))
        assert answer.status_code == 202
        assert len(answer.json()["jobs"]) == 500
        seen: list[str] = []
        page = {"next": None}
        while not seen or page["next"]:
            before = {"before": page["next"]} if page["next"] else {}
            began = time.monotonic()
            page = client.get("/api/v1/jobs", params={"batch": answer.json()["batch"], "limit": 200, **before}).json()
            assert time.monotonic() - began < 5
            seen += [job["file_name"] for job in page["jobs"]]  # type: ignore[attr-defined]
        assert seen == [f"{n:03}.wav" for n in reversed(range(500))]


def test_more_files_than_a_form_may_have_are_refused(server: Server, client: httpx.Client) -> None:
    """case 46"""
    files = [("file", (f"{n}.wav", b"")) for n in range(1001)]
    assert code(client.post("/api/v1/jobs", data={"kind": "transcribe"}, files=files)) == (400, "BAD_REQUEST")
    assert incoming(server) == []


def test_a_megabyte_of_fields_is_taken_and_ten_are_not(server: Server, client: httpx.Client) -> None:
    """cases 29, 30"""
    words = json.dumps({"hotwords": ["词\n" * 250_000]}, ensure_ascii=False)
    job = submit(client, ("a.wav", wav(0.6)), params=words).json()["jobs"][0]
    assert job["params"]["hotwords"] == ["词"]
    assert code(submit(client, ("a.wav", wav(0.6)), params="x" * 10_000_000)) == (413, "TOO_LARGE")
    assert incoming(server) == []


FORM_ROUTES = ("/api/v1/jobs", "/api/v1/voices", "/api/v1/voices/transcript", "/v1/audio/transcriptions")


@pytest.mark.parametrize("route", FORM_ROUTES)
@pytest.mark.parametrize(("length", "status"), [(70, 422), (71, 400), (300, 400)])
def test_a_boundary_is_as_long_as_the_standard_allows(
    client: httpx.Client, route: str, length: int, status: int
) -> None:
    boundary = "b" * length
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="kind"\r\n\r\nnone\r\n--{boundary}--\r\n'
    answer = client.post(route, content=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status_code == status and "INTERNAL" not in answer.text


@pytest.mark.parametrize("names", [("one",) * 1000, tuple(f"name{n}" for n in range(1000))])
def test_parts_are_counted_whatever_their_names(client: httpx.Client, names: tuple[str, ...]) -> None:
    body = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nx\r\n' for name in names) + "--b--\r\n"
    answer = client.post("/api/v1/jobs", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert code(answer) == (400, "BAD_REQUEST")
