"""The public contract of the command line, sentence by sentence: `python app.py …` as a script would call it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.api_kit import prompt, wav
from tests.devices_kit import Server
from webui.audio.aigc_label.label import read_metadata

ROOT = Path(__file__).resolve().parent.parent
DONE, FAILED, WRONG_USAGE, PARTLY_DONE = 0, 1, 2, 3


@pytest.fixture
def common(tmp_path: Path) -> list[str]:
    (tmp_path / "models").mkdir()
    return ["--data", str(tmp_path / "data"), "--models", str(tmp_path / "models"), "--device", "cpu"]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    return recording(tmp_path / "talk.wav")


def recording(path: Path, seconds: float = 1.0) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(wav(seconds))
    return path


def app(*arguments: object, language: str = "C", **environment: str) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SHENGFANG_")},
        "OMP_NUM_THREADS": "1",
        "LC_ALL": language,
        "PYTHONPATH": str(ROOT),
        "SHENGFANG_ENGINES": "benchmarks.fake_engine",
        "SHENGFANG_DISK_RESERVE_BYTES": "0",
        "SHENGFANG_BALLAST_BYTES": "0",
        **environment,
    }
    command = [sys.executable, str(ROOT / "app.py"), *map(str, arguments)]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120)


def one_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    """What went wrong, on one line of the standard error, without a traceback."""
    return done.stdout == "" and len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr


class TestWrongUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["transcrbe"],
            ["--port", "many"],
            ["transcribe", "none.wav"],
            ["transcribe", __file__, "--format", "pdf"],
            ["transcribe", __file__, "--channels", "left"],
            ["speak", "hello"],
            ["speak", "hello", "--prompt", __file__],
            ["speak", "hello", "--prompt", __file__, "--consent", "self"],
            ["speak", "hello", "--prompt", __file__, "--consent", "hearsay", "--subject", "me"],
            ["speak", "hello", "--voice", "builtin", "--speed", "9"],
            ["devices", "--config", "none.toml"],
            ["models", "list", "--nonsense"],
        ],
        ids=" ".join,
    )
    def test_it_is_one_sentence_and_code_2(self, arguments: list[str], common: list[str]) -> None:
        done = app(*arguments, *common)
        assert done.returncode == WRONG_USAGE
        assert one_sentence(done), done.stderr

    def test_an_unknown_model_and_an_unknown_voice_are_named(self, talk: Path, common: list[str]) -> None:
        for arguments, name in [
            (["transcribe", talk, "--model", "none-such"], "fake"),
            (["speak", "hello", "--voice", "nobody"], "nobody"),
        ]:
            done = app(*arguments, *common)
            assert done.returncode == WRONG_USAGE and name in done.stderr and "Traceback" not in done.stderr


class TestConfiguration:
    def test_each_layer_goes_before_the_next_and_show_names_it(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text("".join(f"{key} = {value}\n" for key, value in FILE.items()))
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        for name, value in {"port": "2", "max_queued_jobs": "2", "idle_unload_s": "2"}.items():
            (credentials / f"shengfang_{name}").write_text(value)
        done = app(
            *["config", "show", "--origin", "--config", file, "--data", tmp_path / "here"],
            CREDENTIALS_DIRECTORY=str(credentials),
            SHENGFANG_DATA="elsewhere",
            SHENGFANG_PORT="3",
            SHENGFANG_MAX_QUEUED_JOBS="3",
        )
        assert done.returncode == DONE, done.stderr
        shown = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
        expected = {
            "data": (str(tmp_path / "here"), "command line"),
            "max_queued_jobs": ("3", "environment"),
            "idle_unload_s": ("2.0", "credentials"),
            "max_audio_hours": ("1.0", str(file)),
            "hang_limit_s": ("600.0", "default"),
        }
        for key, (value, origin) in expected.items():
            assert [part.strip() for part in shown[key].split("#")] == [value, origin]

    def test_an_unknown_key_is_wrong_usage_and_the_nearest_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_text("prot = 1\n")
        done = app("config", "show", "--config", tmp_path / "config.toml")
        assert done.returncode == WRONG_USAGE and one_sentence(done) and "port" in done.stderr


FILE = {"port": 1, "max_queued_jobs": 1, "idle_unload_s": 1, "max_audio_hours": 1, "data": '"nowhere"'}


class TestTranscribe:
    def test_a_file_per_recording_and_format_in_out_and_code_3_where_one_is_refused(
        self, tmp_path: Path, common: list[str]
    ) -> None:
        wrong = tmp_path / "letter.wav"
        wrong.write_text("Dear Sir or Madam")
        archive = tmp_path / "many.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("one.wav", wav(0.5))
            packed.writestr("two.wav", wav(0.5, 1))
        files = [recording(tmp_path / "会议.wav"), recording(tmp_path / "b" / "会议.wav"), archive, wrong]
        done = app("transcribe", *files, "--out", tmp_path / "out", *FORMATS, "--model", "fake", *common)
        assert done.returncode == PARTLY_DONE, done.stderr
        assert "letter.wav" in done.stderr
        names = {path.name for path in (tmp_path / "out").iterdir()}
        stems = ("会议", "会议 (2)", "one", "two")
        assert names == {f"{stem}.{form}" for stem in stems for form in ("txt", "srt", "json")}
        assert (tmp_path / "out" / "会议.txt").read_text(encoding="utf-8").startswith("听到")

    def test_without_out_it_is_beside_the_file_and_the_history_is_where_it_was_named(
        self, talk: Path, tmp_path: Path, common: list[str]
    ) -> None:
        database = tmp_path / "elsewhere" / "kept.db"
        database.parent.mkdir()
        done = app("transcribe", talk, "--model", "fake", "--history-db", database, *common)
        assert (done.returncode, talk.with_suffix(".txt").is_file()) == (DONE, True), done.stderr
        assert database.is_file() and not (tmp_path / "data" / "history.db").exists()
        exported = app("history", "export", "--format", "json", "--history-db", database, *common)
        assert [job["file_name"] for job in json.loads(exported.stdout)] == ["talk.wav"]

    def test_nothing_done_is_code_1(self, tmp_path: Path, common: list[str]) -> None:
        (tmp_path / "letter.wav").write_text("Dear Sir or Madam")
        done = app("transcribe", tmp_path / "letter.wav", *common)
        assert done.returncode == FAILED and "letter.wav" in done.stderr

    def test_a_language_basic_does_not_know_is_partly_done(self, talk: Path, common: list[str]) -> None:
        done = app("transcribe", talk, "--model", "basic", "--language", "zh", "-f", "json", *common)
        assert done.returncode == PARTLY_DONE
        job = json.loads(talk.with_suffix(".json").read_text(encoding="utf-8"))
        assert (job["state"], job["error"]["code"]) == ("partial", "MODEL_NEEDED")


FORMATS = ["--format", "txt", "-f", "srt", "-f", "json"]


class TestBesideAServer:
    def test_transcribe_joins_its_queue_and_follows(self, program: Server, talk: Path) -> None:
        done = app("transcribe", talk, "--data", program.data, "--models", program.data.parent / "models")
        assert (done.returncode, talk.with_suffix(".txt").is_file()) == (DONE, True), done.stderr
        assert "server" in done.stderr

    def test_speak_joins_its_queue_with_a_prompt_and_consent(self, program: Server, tmp_path: Path) -> None:
        sample, target = tmp_path / "prompt.wav", tmp_path / "said.mp3"
        sample.write_bytes(prompt())
        allowed = ["--consent", "written", "--subject", "张三", "--transcript", "今天天气很好。"]
        place = ["--data", program.data, "--models", program.data.parent / "models"]
        done = app("speak", "你好。", "--prompt", sample, *allowed, "--out", target, *place)
        assert done.returncode == DONE, done.stderr
        assert read_metadata(target) is not None

    def test_administrators_commands_open_the_database_meanwhile(self, program: Server, tmp_path: Path) -> None:
        place = ["--data", program.data]
        assert app("check", *place).returncode == DONE
        assert app("backup", tmp_path / "backup", *place).returncode == DONE
        assert any((tmp_path / "backup").iterdir())
        export = app("history", "export", *place)
        assert export.stdout.lstrip("\ufeff").startswith("id,kind,state,created_at,")

    def test_a_second_server_on_the_folder_is_refused(self, program: Server) -> None:
        done = app("--data", program.data, "--port", "0")
        assert done.returncode == FAILED and one_sentence(done), done.stderr


class TestSpeak:
    def test_the_builtin_voice_needs_no_consent(self, tmp_path: Path, common: list[str]) -> None:
        target = tmp_path / "said.wav"
        done = app("speak", "Good morning.", "--voice", "builtin", "--model", "basic", "--out", target, *common)
        assert done.returncode == DONE, done.stderr
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
        assert soundfile.info(target).duration > 0.5 and read_metadata(target) is not None


class TestServe:
    def test_it_is_the_default_takes_gradios_names_of_options_and_ends_with_0(
        self, tmp_path: Path, common: list[str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, str(ROOT / "app.py"), *common, "--server_name", "127.0.0.1"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen([*command, "--server_port", str(port)], stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", process)
            models = httpx.get(f"http://127.0.0.1:{port}/v1/models").json()["data"]
            assert {model["id"] for model in models} == {"basic"}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(40) == DONE
        written = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
        assert len(written) > 2 and [path for path in written if path.stat().st_mode & 0o077] == []

    def test_a_certificate_that_is_missing_is_said(self, common: list[str]) -> None:
        done = app("serve", "--port", "0", "--https-port", "1", *common)
        assert done.returncode == WRONG_USAGE and one_sentence(done) and "server.crt" in done.stderr


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no answer from {url}, exit code {process.poll()}")


class TestTables:
    def test_devices_as_json_are_those_of_the_api(self, common: list[str]) -> None:
        listed = json.loads(app("devices", "--json", *common).stdout)
        fields = {"id", "kind", "name", "usable", "reason", "memory_total", "memory_free"}
        assert listed and all(device.keys() >= fields for device in listed)
        assert [device["usable"] for device in listed if device["id"] == "cpu"] == [True]

    def test_models_as_json_with_one_folder_besides(self, tmp_path: Path, common: list[str]) -> None:
        listed = json.loads(app("models", "list", "--json", *common).stdout)
        assert {"basic", "fake"} <= {model["name"] for model in listed["models"]}
        further = app("models", "list", "--json", "--model-path", ROOT / "models" / "selftest-zh", *common)
        assert "selftest-zh" in {model["name"] for model in json.loads(further.stdout)["models"]}

    def test_doctor_as_json_is_a_list_of_findings(self, common: list[str]) -> None:
        done = app("doctor", "--json", *common)
        lines = json.loads(done.stdout)
        assert {"python", "torch", "cpu"} <= {line["subject"] for line in lines}
        assert all(line["state"] in ("ok", "note", "bad") and line.keys() >= {"text", "hint"} for line in lines)
        assert done.returncode == (FAILED if any(line["state"] == "bad" for line in lines) else DONE)


class TestLanguage:
    def test_errors_speak_the_terminals_language(self, common: list[str]) -> None:
        assert app("transcribe", "none.wav", *common).stderr.isascii()
        assert not app("transcribe", "none.wav", *common, language="zh_CN.UTF-8").stderr.isascii()
        for language, said in (("C", "must be at most 2"), ("zh_CN.UTF-8", "不能大于 2")):
            done = app("speak", "hello", "--voice", "builtin", "--speed", "9", *common, language=language)
            assert "speed" in done.stderr and said in done.stderr
