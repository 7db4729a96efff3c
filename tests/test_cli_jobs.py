"""`serve`, `transcribe` and `speak` as an administrator uses them, with a ten-line engine in place of a model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.speech_kit import hum
from webui.cli.application import main

ROOT = Path(__file__).resolve().parent.parent
ENGINE = """
from webui.engines.base import Recognition, RecognizerCapabilities, RecognizerModel

class Fake:
    capabilities = RecognizerCapabilities(languages=("zh",))
    def recognize(self, batch, options):
        return [Recognition("你好", "你好", "zh") for _ in batch]
    def close(self):
        pass

def models(settings):
    return [RecognizerModel("fake", "fake", "1", Fake.capabilities, lambda device: Fake(), default_rank=99)]
"""


@pytest.fixture(autouse=True)
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_cli_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SHENGFANG_ENGINES", "fake_cli_engine")
    monkeypatch.setenv("SHENGFANG_DISK_RESERVE_BYTES", "0")
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds that are taken for speech."""
    soundfile.write(tmp_path / "talk.wav", hum(2, 16_000), 16_000)
    return tmp_path / "talk.wav"


def common(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models"), "--device", "cpu"]


def test_of_an_archive_the_recordings_are_written_and_the_rest_is_named(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(recording, "talk.wav")
        archive.writestr("letter.txt", "Dear Sir or Madam")
    out = tmp_path / "out"
    arguments = ["transcribe", str(tmp_path / "all.zip"), "--out", str(out), "--model", "fake"]
    assert main([*arguments, *common(tmp_path)]) == 3
    assert [path.name for path in out.iterdir()] == ["talk.txt"]
    assert "letter.txt" in capsys.readouterr().err


def test_a_recording_becomes_a_file_per_format(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["transcribe", str(recording), "--out", str(out), "-f", "txt", "-f", "json", "--model", "fake"]
    assert main([*arguments, *common(tmp_path)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["talk.json", "talk.txt"]


def test_beside_the_recording_is_the_default(recording: Path, tmp_path: Path) -> None:
    assert main(["transcribe", str(recording), *common(tmp_path)]) == 0
    assert recording.with_suffix(".txt").is_file()


def test_a_file_that_is_no_audio_is_named_and_the_others_are_done(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "letter.wav"
    wrong.write_text("Dear Sir or Madam")
    assert main(["transcribe", str(wrong), str(recording), *common(tmp_path)]) == 3
    assert recording.with_suffix(".txt").is_file()
    assert main(["transcribe", str(wrong), *common(tmp_path)]) == 1
    assert "letter.wav" in capsys.readouterr().err


def test_an_unknown_model_is_wrong_usage(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", str(recording), "--model", "none", *common(tmp_path)]) == 2
    assert "fake" in capsys.readouterr().err.splitlines()[-1]


def test_an_unknown_device_is_wrong_usage(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", str(recording), *common(tmp_path), "--device", "npu:7"]) == 2
    assert "npu:7" in capsys.readouterr().err.splitlines()[-1]


def test_the_built_in_voice_reads_a_text(tmp_path: Path) -> None:
    target = tmp_path / "said.wav"
    assert main(["speak", "Good morning.", "--voice", "builtin", "--out", str(target), *common(tmp_path)]) == 0
    assert soundfile.info(target).duration > 0.5


def test_the_history_holds_what_the_command_line_did(recording: Path, tmp_path: Path) -> None:
    main(["transcribe", str(recording), *common(tmp_path)])
    target = tmp_path / "history.csv"
    assert main(["history", "export", "--out", str(target), *common(tmp_path)]) == 0
    head, row = target.read_text(encoding="utf-8-sig").splitlines()
    assert head.startswith("id,kind,state,") and "talk.wav" in row


class TestBesideAServer:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "app.py", "--port", str(port), *common(tmp_path)]
        with (tmp_path / "server.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/healthz", process)
            yield process, port
        finally:
            process.kill()
            process.wait()

    @pytest.mark.slow
    def test_jobs_join_its_queue_a_second_one_refuses_and_sigterm_ends_it_well(
        self,
        server: tuple[subprocess.Popen[bytes], int],
        recording: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        process, _ = server
        assert main(["transcribe", str(recording), *common(tmp_path)]) == 0
        assert "a server is running" in capsys.readouterr().err
        assert main(["serve", "--port", "0", *common(tmp_path)]) == 1
        assert str(process.pid) in capsys.readouterr().err
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in (tmp_path / "server.log").read_text()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")
