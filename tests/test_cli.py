"""The command line: where options may stand, exit codes, one-sentence errors, and nothing heavy for a question."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from webui.cli import serve
from webui.cli.application import main
from webui.cli.arguments import arrange
from webui.cli.checks import Line, examine
from webui.cli.common import Failed
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("serve", "transcribe", "models")


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


@pytest.mark.parametrize(
    ("given", "arranged"),
    [
        ([], ["serve"]),
        (["--port", "1"], ["serve", "--port", "1"]),
        (["--data", "d"], ["--data", "d", "serve"]),
        (["--data=d", "--port", "1"], ["--data=d", "serve", "--port", "1"]),
        (
            ["transcribe", "a.wav", "--device", "cpu", "--out", "o"],
            ["--device", "cpu", "transcribe", "a.wav", "--out", "o"],
        ),
        (["models", "list", "--models", "m"], ["--models", "m", "models", "list"]),
        (["transcribe", "--", "--data"], ["transcribe", "--", "--data"]),
        (["--help"], ["--help"]),
        (["tarnscribe"], ["tarnscribe"]),
        (["transcribe", "--data"], ["--data"]),
    ],
)
def test_common_options_stand_anywhere_and_serve_is_the_default(given: list[str], arranged: list[str]) -> None:
    assert arrange(given, COMMANDS) == arranged


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tarnscribe"], "transcribe"),
        (["--port", "many"], "--port"),
        (["--port", "99999", "--data", "d"], "port"),
        (["transcribe"], "file"),
        (["transcribe", "none.wav"], "none.wav"),
        (["models", "list", "--data"], "--data"),
        (["--config", "none.toml", "doctor"], "none.toml"),
        (["speak", "hello"], "--voice"),
        (["speak", "hello", "--prompt", "p.wav"], "--consent"),
        (["history", "export", "--format", "xml"], "csv, json"),
        (["models", "pull", "none"], "SenseVoiceSmall"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.out == ""
    assert len(shown.err.strip().splitlines()) == 1


def test_an_error_is_worded_in_the_terminals_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["models", "pull", "none"]) == 2
    assert "没有名为“none”的模型" in capsys.readouterr().err


def test_a_programming_error_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.engines.catalog.available", lambda _settings: 1 / 0)
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err == "Error: internal error (ZeroDivisionError): division by zero\n"


def test_a_python_without_the_packages_is_told_which_to_use() -> None:
    done = subprocess.run([sys.executable, "-S", "app.py", "doctor"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "./start_app.sh" in done.stderr and "Traceback" not in done.stderr


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, app\ncode = app.main(['--help'])\n"
        "heavy = {'torch', 'gradio', 'sqlalchemy', 'fastapi', 'funasr', 'numpy'} & set(sys.modules)\n"
        "print(code, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert "transcribe" in done.stdout


def test_config_show_names_the_origin_of_each_value(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHENGFANG_PORT", "7999")
    assert main(["config", "show", "--origin", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"data = {tmp_path}    # command line" in lines
    assert "port = 7999    # environment" in lines


def test_models_list_as_json_names_what_is_there_and_what_can_be_had(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    assert main(["models", "list", "--json", "--models", str(settings.models)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "basic" in {model["name"] for model in shown["models"]}
    assert "SenseVoiceSmall" in {entry["name"] for entry in shown["catalog"]}


def test_verify_fails_where_a_file_is_missing(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    folder = settings.models / "SenseVoiceSmall"
    folder.mkdir()
    (folder / "config.yaml").write_text("model: SenseVoiceSmall\n")
    assert main(["models", "verify", "SenseVoiceSmall", "--models", str(settings.models)]) == 1
    assert "model.pt is missing" in capsys.readouterr().err


def test_devices_as_json_has_the_contracts_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    cpu = json.loads(capsys.readouterr().out)[-1]
    assert {"id", "kind", "name", "usable", "reason", "memory_total", "memory_free"} <= set(cpu)


class TestDoctor:
    def test_every_subject_has_a_line_and_every_failure_a_cure(self, settings: Settings) -> None:
        lines = list(examine(settings))
        assert {"python", "packages", "torch", "cpu", "basic", "disk", "port", "label"} <= {x.subject for x in lines}
        assert all(line.hint for line in lines if line.state == "bad")

    def test_it_fails_where_something_does_not_work(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = [Line("a", "ok", "fine"), Line("b", "bad", "gone", "fetch it")]
        monkeypatch.setattr("webui.cli.checks.examine", lambda _settings: iter(lines))
        assert main(["doctor"]) == 1
        assert capsys.readouterr().out == "[ ok ] a: fine\n[FAIL] b: gone\n       → fetch it\n"
        assert main(["doctor", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)[1]["hint"] == "fetch it"

    def test_a_check_that_breaks_is_a_line_and_not_the_end(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("webui.engines.catalog.available", lambda _settings: 1 / 0)
        lines = list(examine(settings))
        assert [line.state for line in lines if "ZeroDivisionError" in line.text] == ["bad"]
        assert lines[-1].subject == "label"

    @pytest.mark.parametrize(("device", "findings"), [("auto", []), ("cpu", []), ("npu:9", ["bad"])])
    def test_a_device_of_the_configuration_that_is_not_there_is_a_failure(
        self, settings: Settings, device: str, findings: list[str]
    ) -> None:
        lines = [line for line in examine(settings.model_copy(update={"device": device})) if line.subject == "device"]
        assert [line.state for line in lines] == findings and all(device in line.text for line in lines)

    @pytest.mark.parametrize(("code", "state"), [("", "note"), ("acme", "note"), ("001191110102MAD55U9H0F10002", "ok")])
    def test_a_producer_code_that_is_none_of_the_standard_is_told(
        self, settings: Settings, code: str, state: str
    ) -> None:
        line = list(examine(settings.model_copy(update={"producer_code": code})))[-1]
        assert (line.subject, line.state) == ("label", state) and code in line.text

    @pytest.mark.parametrize(("mode", "notes"), [(0o755, ["note"]), (0o750, [])])
    def test_recordings_that_other_users_can_read_are_told(
        self, settings: Settings, mode: int, notes: list[str]
    ) -> None:
        settings.data.mkdir()
        settings.data.chmod(mode)
        settings.database.touch(0o644)
        assert [line.state for line in examine(settings) if line.subject == "data"] == notes

    def test_data_that_cannot_be_written_are_a_failure(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.data.mkdir()
        writable = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and writable(path, mode))
        assert [line.state for line in examine(settings) if line.subject == "data"] == ["bad"]

    def test_a_busy_port_is_a_note(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as busy:
            port = busy.getsockname()[1]
            lines = list(examine(settings.model_copy(update={"port": port})))
        assert next(line for line in lines if line.subject == "port").state == "note"


class TestListening:
    def test_a_port_in_use_is_one_sentence(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(Failed, match="--port"):
            serve.listen("127.0.0.1", busy.getsockname()[1])

    def test_an_address_that_is_not_ours_is_one_sentence(self) -> None:
        with pytest.raises(Failed, match=r"203\.0\.113\.7"):
            serve.listen("203.0.113.7", 0)

    def test_all_interfaces_are_announced_as_addresses_a_browser_can_open(self) -> None:
        found = serve.addresses("0.0.0.0", 7860)
        assert found[0] == "http://127.0.0.1:7860/"
        assert not any("0.0.0.0" in address for address in found)
        assert serve.addresses("::1", 7861, "https") == ["https://[::1]:7861/"]


class TestBackup:
    def test_the_copy_opens_and_its_checksum_is_in_the_manifest(
        self, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from webui.store.migrate import open_database

        open_database(settings.database).close()
        (settings.outputs / "a").mkdir(parents=True)
        (settings.outputs / "a" / "speech.wav").write_bytes(b"sound")
        folder = tmp_path / "backup"
        assert main(["backup", str(folder), "--media", "--data", str(settings.data)]) == 0
        assert [path for path in (folder, *folder.rglob("*")) if path.is_dir() and path.stat().st_mode & 0o077] == []
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["files_copied"] == 1 and (folder / "outputs" / "a" / "speech.wav").read_bytes() == b"sound"
        assert main(["check", "--history-db", str(folder / manifest["database"])]) == 0

    def test_a_damaged_database_is_found(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        from webui.store.migrate import open_database

        open_database(settings.database).close()
        content = bytearray(settings.database.read_bytes())
        content[4096:8192] = os.urandom(4096)
        settings.database.write_bytes(content)
        assert main(["check", "--data", str(settings.data)]) == 1
        assert capsys.readouterr().err

    @pytest.mark.parametrize(
        ("error", "says"),
        [
            (PermissionError(13, "Permission denied", "/backups"), "cannot use /backups: Permission denied"),
            (OSError(28, "No space left on device"), "No space left on device"),
        ],
    )
    def test_a_folder_that_takes_nothing_is_a_sentence(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        error: OSError,
        says: str,
    ) -> None:
        def refuse(*_given: object) -> Path:
            raise error

        settings.data.mkdir()
        settings.database.touch()
        monkeypatch.setattr("webui.store.maintenance.back_up", refuse)
        assert main(["backup", "/backups", "--data", str(settings.data)]) == 1
        assert capsys.readouterr().err == f"Error: {says}\n"

    def test_without_a_database_there_is_nothing_to_copy(self, settings: Settings, tmp_path: Path) -> None:
        assert main(["backup", str(tmp_path / "b"), "--data", str(settings.data)]) == 1
        assert not (tmp_path / "b").exists()
