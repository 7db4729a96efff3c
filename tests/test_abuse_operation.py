"""What goes wrong below the program: models that misbehave, broken databases, clocks that jump, deletion, logs."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api_kit import RATE, Server, code, finish, prompt, serving, submit, wav, wav_of
from tests.hostile_engine import SECRET
from tests.jobs_kit import buzz, open_store
from webui.audio import encode
from webui.audio.working_copy import WorkingCopyWriter
from webui.cli.application import main
from webui.cli.logs import JsonLines
from webui.store import rows
from webui.store.migrate import DatabaseRefused

ENGINES = ("benchmarks.fake_engine", "tests.hostile_engine")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), engines=ENGINES) as server:
        yield server


def three_sentences() -> bytes:
    """Of which the hostile model spoils the first and the last."""
    pause = np.zeros(RATE * 3, np.float32)
    return wav_of(np.concatenate([buzz(1.0), pause, buzz(4.0, 1), pause, buzz(1.0, 2)]))


@pytest.mark.parametrize("how", ["raise", "nan", "miscount", "surrogate", "backwards"])
def test_a_model_that_misbehaves_costs_the_segment_and_not_the_job(client: httpx.Client, how: str) -> None:
    """case 39 (models that hang: test_hang; out of memory: test_fallback)"""
    asked = json.dumps({"model": "hostile", "hotwords": [how]})
    job = finish(client, submit(client, ("a.wav", three_sentences()), params=asked).json()["jobs"][0]["id"])
    assert (job["state"], job["error"]["code"]) == ("partial", "ENGINE_FAILED")
    assert "secret" not in json.dumps(job)
    found = client.get(f"/api/v1/jobs/{job['id']}/segments").json()["segments"]
    states = [segment["state"] for segment in found]
    assert "done" in states
    assert "failed" in states
    for segment in found:
        assert (segment["error"] or {}).get("code") == ("ENGINE_FAILED" if segment["state"] == "failed" else None)
    for form in ("txt", "srt", "vtt", "json", "csv", "docx"):
        assert client.get(f"/api/v1/jobs/{job['id']}/result.{form}").status_code == 200
    assert finish(client, submit(client, ("b.wav", wav(2))).json()["jobs"][0]["id"])["state"] == "done"


@pytest.mark.parametrize("how", ["raise", "nan", "loud", "nothing"])
def test_a_synthesizer_that_misbehaves_gives_no_sound_away(client: httpx.Client, how: str) -> None:
    """case 39"""
    asked = json.dumps({"model": "hostile", "text": "你好。", "instruct": how})
    job = finish(client, submit(client, kind="speak", params=asked).json()["jobs"][0]["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "ENGINE_FAILED")
    assert code(client.get(f"/api/v1/jobs/{job['id']}/audio")) == (409, "NOT_READY")


def test_an_engine_module_that_breaks_takes_no_other_along(tmp_path: Path) -> None:
    """case 39"""
    engines = ("no.such.module", "tests.hostile_engine", "json", "benchmarks.fake_engine")
    with serving(tmp_path, engines=engines) as server, server.api() as client:
        assert {"fake", "hostile"} <= {model["name"] for model in client.get("/api/v1/models").json()["models"]}
        assert client.get("/readyz").status_code == 200


def serve(data: Path) -> subprocess.Popen[str]:
    """The program itself, on a port of the system's choice."""
    environment = {
        **os.environ,
        "SHENGFANG_ENGINES": "benchmarks.fake_engine",
        "LC_ALL": "en_US.UTF-8",
        "LANG": "en_US",
    }
    (data.parent / "models").mkdir(exist_ok=True)
    return subprocess.Popen(
        [
            *(sys.executable, "app.py", "serve", "--device", "cpu", "--port", "0"),
            *("--data", str(data), "--models", str(data.parent / "models")),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def made(folder: Path) -> Path:
    """A data folder with a database in it; the database's path."""
    (folder / "data").mkdir()
    path = folder / "data" / "history.db"
    store = open_store(path)
    for number in range(50):
        store.finished(f"第{number}次会议的全文" * 20)
    store.database.close()
    return path


@pytest.mark.parametrize("harm", ["garbage", "flipped", "newer", "folder"])
def test_a_database_that_cannot_be_used_is_one_line_and_stays_as_it_is(tmp_path: Path, harm: str) -> None:
    """case 37"""
    path = made(tmp_path)
    if harm == "garbage":
        path.write_bytes(b"not a database at all" * 100)
    elif harm == "flipped":
        content = bytearray(path.read_bytes())
        content[4096:12288] = bytes(255 - byte for byte in content[4096:12288])
        path.write_bytes(content)
    elif harm == "newer":
        store = open_store(path)
        with store.database.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        store.database.close()
    else:
        path.unlink()
        path.mkdir()
    before = path.read_bytes() if path.is_file() else b""
    process = serve(tmp_path / "data")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert len(errors.strip().splitlines()) <= 2
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_two_programs_on_one_data_folder_are_one(tmp_path: Path) -> None:
    """case 44"""
    with serving(tmp_path):
        process = serve(tmp_path / "data")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert str(os.getpid()) in errors
        assert "Traceback" not in errors


def test_a_data_folder_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """case 37"""
    monkeypatch.setenv("LC_ALL", "C")
    (tmp_path / "file").touch()
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"Error: cannot use {tmp_path / 'file'}: File exists\n"


def test_a_database_refused_names_no_internals(tmp_path: Path) -> None:
    """case 37"""
    path = tmp_path / "history.db"
    path.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    with pytest.raises(DatabaseRefused) as refused:
        open_store(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("make", [WorkingCopyWriter, lambda path: encode.AudioWriter(path, "wav", RATE)])
def test_a_file_half_written_to_a_full_disk_makes_room_again(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    """case 36"""
    writer = make(tmp_path / "a.wav")
    writer._file.close()
    writer._file = Path("/dev/full").open("wb")  # noqa: SIM115 - discard closes it
    writer._file.write(b"still in the buffer")
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_so_does_one_that_fails_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """case 36"""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encode, "move_into_place", full)
    with pytest.raises(OSError), encode.AudioWriter(tmp_path / "a.wav", "wav", RATE) as writer:
        writer.write(np.zeros(1000, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_jumps_loses_nobodys_place_and_no_row_of_a_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """case 38"""
    store, day = open_store(tmp_path / "history.db"), 86_400_000
    moments = [0, -day, day, 2**31 * 1000, -3 * day, 3_600_000, -3_600_000]
    uids = []
    for module in [name for name in sys.modules if name.startswith("webui.store.")]:
        if hasattr(sys.modules[module], "now_ms"):
            monkeypatch.setattr(sys.modules[module], "now_ms", lambda: int(time.time() * 1000) + moments[len(uids)])
    for _ in moments[:-1]:
        uids.append(store.submit().uid)
    page = store.history.page(rows.JobFilter(store.owner().id), limit=4)
    rest = store.history.page(rows.JobFilter(store.owner().id), before=page[-1].uid, limit=10)
    assert sorted(row.uid for row in (*page, *rest)) == sorted(uids)
    claimed = []
    while claim := store.queue.claim("prepare", "boot"):
        claimed.append(claim.job.uid)
        store.queue.plan(claim.lease, [])
    assert claimed == uids
    store.database.close()


def test_a_deleted_recording_leaves_nothing_to_read(server: Server, client: httpx.Client) -> None:
    """case 43"""
    words = {
        "name": "绝密会议纪要第七号",
        "hotword": "秘密热词甲",
        "text": "这句话应当彻底消失干净",
        "speaker": "王小明经理",
    }
    asked = json.dumps({"hotwords": [words["hotword"]]})
    uid = submit(client, (words["name"] + ".wav", wav(2, 5)), params=asked).json()["jobs"][0]["id"]
    heard = finish(client, uid)["text"]
    segment = client.get(f"/api/v1/jobs/{uid}/segments").json()["segments"][0]
    edit = {"version": segment["version"], "text": words["text"], "speaker": words["speaker"]}
    client.patch(f"/api/v1/jobs/{uid}/segments/0", json=edit)
    client.get(f"/api/v1/jobs/{uid}/result.docx")
    assert client.delete(f"/api/v1/jobs/{uid}").status_code == 204
    for query in (*words.values(), words["text"][:2], heard, uid):
        assert client.get("/api/v1/jobs", params={"q": query}).json()["jobs"] == []
    data = server.services.settings.data
    deadline = time.monotonic() + 10  # a reader may have kept the log from being emptied: the next deletion does it
    while (left := readable(data, [*words.values(), heard])) and time.monotonic() < deadline:
        other = submit(client, ("b.wav", wav(0.4))).json()["jobs"][0]["id"]
        client.delete(f"/api/v1/jobs/{other}")
    assert left == []
    assert [path for path in data.rglob("*") if uid in path.name] == []
    assert client.get("/api/v1/history.json").json() == []


def readable(folder: Path, texts: list[str]) -> list[tuple[str, str]]:
    """Which of `texts` stand in a file below `folder`."""
    files = [(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    return [(name, text) for name, content in files for text in texts if text.encode() in content]


def test_a_withdrawn_voice_leaves_no_recording(server: Server, client: httpx.Client) -> None:
    """cases 40, 43"""
    consent = json.dumps({"basis": "written", "subject": "李四"})
    data = {"name": "李四的声音", "transcript": "只有李四这样说", "consent": consent}
    uid = client.post("/api/v1/voices", data=data, files={"file": ("p.wav", prompt())}).json()["id"]
    spoken = json.dumps({"text": "你好", "voice": "李四的声音"})
    assert finish(client, submit(client, kind="speak", params=spoken).json()["jobs"][0]["id"])["state"] == "done"
    assert client.post(f"/api/v1/voices/{uid}/revoke").status_code == 200
    assert code(submit(client, kind="speak", params=spoken)) == (422, "CONSENT_EXPIRED")
    assert code(client.get(f"/api/v1/voices/{uid}/audio"))[0] in (404, 410)
    assert [path for path in server.services.settings.data.rglob(f"*{uid}*") if path.is_file()] == []


def test_no_secret_and_no_word_of_a_transcript_is_in_the_log(
    client: httpx.Client, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """case 42"""
    caplog.set_level(logging.DEBUG)
    cookie = next(iter(client.cookies.values()))
    headers = {"authorization": "Bearer vs_12345678_secretsecret"}
    asked = json.dumps({"model": "hostile", "hotwords": ["说", "热词不进日志"]})
    uid = submit(client, ("文件名不进日志.wav", wav(1)), params=asked).json()["jobs"][0]["id"]
    assert finish(client, uid)["text"] == SECRET
    client.get("/api/v1/jobs", params={"q": SECRET}, headers=headers)
    client.get(f"/api/v1/jobs/{uid}/result.srt", headers=headers)
    spoken = json.dumps({"text": "合成的话不进日志。"})
    finish(client, submit(client, kind="speak", params=spoken).json()["jobs"][0]["id"])
    submit(client, ("坏文件不进日志.wav", b"\x89PNG\r\n\x1a\n"))
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("webui", "uvicorn", "sqlalchemy"))
    )
    for word in (cookie, "secretsecret", SECRET, "不进日志", str(server.services.settings.database)):
        assert word not in ours


def test_a_line_of_the_log_is_one_line_whatever_is_in_it() -> None:
    """case 42"""
    buffer = io.StringIO()
    handler = logging.StreamHandler(buffer)
    handler.setFormatter(JsonLines())
    evil = 'x.wav\n{"level": "INFO", "message": "forged"}\r\x1b[31m\u2028\u202e'
    handler.handle(logging.LogRecord("webui", logging.INFO, "f.py", 1, "not decoded: %s", (evil,), None))
    lines = buffer.getvalue().splitlines()
    assert json.loads(buffer.getvalue())["message"] == f"not decoded: {evil}"
    assert buffer.getvalue().count("\n") == 1
    assert "\x1b" not in lines[0]


def test_an_internal_error_of_a_job_has_the_number_that_the_log_has(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """cases 39, 42"""
    from webui.jobs.kinds import KINDS
    from webui.store.states import TRANSCRIBE

    def broken(*_: Any) -> None:
        raise KeyError("/srv/secret")

    monkeypatch.setitem(KINDS, TRANSCRIBE, replace(KINDS[TRANSCRIBE], work=broken))
    job = finish(client, submit(client, ("a.wav", wav(1))).json()["jobs"][0]["id"])
    assert job["error"]["code"] == "INTERNAL"
    assert job["id"] in job["error"]["message"]
    assert "secret" not in json.dumps(job)
    assert job["id"] in caplog.text
