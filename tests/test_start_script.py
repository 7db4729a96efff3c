"""start_app.sh with a stand-in for Python: what is installed when, what is run how, and signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Answers `-c` and `-m venv`, and writes down every pip command and every start of app.py with its environment.
PYTHON = r"""#!/usr/bin/env bash
case "$1 ${2:-}" in
    "-c "*) exit 0 ;;
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
    "-m pip") shift 2; echo "pip $*" >> "$HOME/calls" ;;
    */app.py*)
        shift
        given="in=$PWD host=${SHENGFANG_HOST:-} cann=${CANN_SOURCED:-} offline=${HF_HUB_OFFLINE:-}"
        echo "app.py${*:+ }$* | $given" >> "$HOME/calls"
        if [ -f wait_for_signal ]; then
            trap 'echo terminated >> "$HOME/calls"; exit 0' TERM
            touch started
            while :; do sleep 0.05; done
        fi
        code=$(head -n 1 exit_codes 2> /dev/null || echo 0)
        sed -i 1d exit_codes 2> /dev/null
        exit "${code:-0}" ;;
esac
"""


class House:
    """A copy of the program's folder in which the script runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "program"
        self.stubs = folder / "bin"
        self.home = folder / "home"
        for path in (self.folder, self.stubs, self.home):
            path.mkdir()
        for file in (ROOT / "start_app.sh", *ROOT.glob("requirements*.txt")):
            shutil.copy(file, self.folder)
        self.command("python3.11", PYTHON)
        self.command("nvidia-smi", "#!/bin/sh\nexit 1\n")
        self.command("numactl", "#!/bin/sh\nexit 1\n")

    def command(self, name: str, text: str) -> None:
        (self.stubs / name).write_text(text)
        (self.stubs / name).chmod(0o755)

    def start(
        self, *arguments: str, folder: Path | None = None, script: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(script or self.folder / "start_app.sh"), *arguments],
            cwd=folder or self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def environment(self, **variables: str) -> dict[str, str]:
        path = f"{self.stubs}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), "LC_ALL": "C", **variables}

    def calls(self) -> list[str]:
        """What was called since the last look."""
        file = self.home / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def house(tmp_path: Path) -> House:
    if list(Path("/dev").glob("davinci[0-9]*")) or Path("/usr/local/Ascend").exists():
        pytest.skip("an Ascend machine: the choice of requirements is its own")
    return House(tmp_path)


def test_the_first_start_installs_and_the_second_touches_no_network(house: House) -> None:
    assert house.start("--port", "7861").returncode == 0
    install, app = house.calls()
    assert install.startswith("pip install") and install.endswith("-r requirements.txt")
    assert app == f"app.py --port 7861 | in={house.folder} host=0.0.0.0 cann= offline=1"
    house.start()
    assert house.calls() == [f"app.py | in={house.folder} host=0.0.0.0 cann= offline=1"]


def test_changed_requirements_are_installed_again(house: House) -> None:
    house.start()
    house.calls()
    (house.folder / "requirements-common.txt").write_text("gradio\n")
    house.start()
    assert house.calls()[0].startswith("pip install")


def test_a_failed_installation_is_said_and_tried_again(house: House) -> None:
    house.command("python3.11", PYTHON.replace('echo "pip $*" >> "$HOME/calls"', "exit 1"))
    failed = house.start()
    assert failed.returncode == 1 and "--wheelhouse" in failed.stderr
    assert house.calls() == [] and not (house.folder / ".venv" / "installed").exists()


def test_a_gpu_gets_the_cuda_requirements(house: House) -> None:
    house.command("nvidia-smi", "#!/bin/sh\nexit 0\n")
    house.start()
    assert house.calls()[0].endswith("-r requirements-cuda.txt")


def test_an_ascend_machine_gets_its_requirements_and_canns_environment(house: House) -> None:
    toolkit = house.home / "Ascend" / "ascend-toolkit"
    toolkit.mkdir(parents=True)
    (toolkit / "set_env.sh").write_text('export CANN_SOURCED=yes OTHER="$NOT_SET_BEFORE"\nfalse\n')
    house.start("devices")
    install, app = house.calls()
    assert install.endswith("-r requirements-npu.txt")
    assert app.startswith("app.py devices |") and "cann=yes" in app


def test_the_torch_index_may_be_a_url_or_a_folder(house: House, tmp_path: Path) -> None:
    house.start(SHENGFANG_TORCH_INDEX="https://example.org/cpu")
    assert "--extra-index-url https://example.org/cpu" in house.calls()[0]
    house.start(SHENGFANG_TORCH_INDEX=str(tmp_path))
    assert f"--find-links {tmp_path}" in house.calls()[0]


def test_a_wheelhouse_needs_no_network(house: House, tmp_path: Path) -> None:
    house.start("--wheelhouse", str(tmp_path), "--port", "7861")
    install, app = house.calls()
    assert f"--no-index --find-links {tmp_path}" in install
    assert app.startswith("app.py --port 7861 |")


def test_packing_collects_wheels_and_starts_nothing(house: House) -> None:
    packed = house.start("--pack", "wheels")
    assert packed.returncode == 0 and (house.folder / "wheels").is_dir()
    (call,) = house.calls()
    assert call.startswith("pip wheel") and f"--wheel-dir {house.folder}/wheels -r requirements.txt" in call


def test_the_check_changes_nothing_where_nothing_is_installed(house: House) -> None:
    checked = house.start("--check")
    assert checked.returncode == 1 and "requirements.txt" in checked.stderr
    assert house.calls() == [] and not (house.folder / ".venv").exists()


def test_the_check_is_the_doctor(house: House) -> None:
    house.start()
    house.calls()
    house.start("--check", "--json")
    assert house.calls()[0].startswith("app.py doctor --json |")


def test_exit_code_75_starts_it_again_and_any_other_is_passed_on(house: House) -> None:
    (house.folder / "exit_codes").write_text("75\n75\n3\n")
    assert house.start("--port", "7861").returncode == 3
    assert len([call for call in house.calls() if call.startswith("app.py")]) == 3


def test_other_commands_are_not_started_again(house: House) -> None:
    (house.folder / "exit_codes").write_text("75\n0\n")
    assert house.start("transcribe", "a.wav").returncode == 75


def test_a_host_of_the_administrators_is_kept(house: House) -> None:
    house.start(SHENGFANG_HOST="10.0.0.1")
    assert "host=10.0.0.1" in house.calls()[-1]
    (house.folder / "config.toml").write_text('host = "10.0.0.2"\n')
    house.start()
    assert "host= " in house.calls()[-1]


@pytest.mark.parametrize("given", [["--config", "there.toml"], ["--config=there.toml"]])
def test_a_host_of_the_file_that_is_named_is_kept(house: House, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "there.toml").write_text('port = 1\n  host="10.0.0.2"\n')
    house.start(*given, folder=tmp_path)
    assert "host= " in house.calls()[-1]


def test_from_another_folder_and_by_a_link_paths_are_the_callers(house: House, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(house.folder / "start_app.sh")
    house.start("--wheelhouse", "wheels", "transcribe", "a.wav", folder=tmp_path, script=tmp_path / "link")
    install, app = house.calls()
    assert f"--find-links {tmp_path}/wheels " in install
    assert app.startswith(f"app.py transcribe a.wav | in={tmp_path} ")


def test_from_a_folder_that_cannot_be_entered_it_starts_nevertheless(house: House, tmp_path: Path) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && exec bash {house.folder}/start_app.sh doctor"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=house.environment(), check=True, timeout=60)
    assert house.calls()[-1].startswith(f"app.py doctor | in={house.folder} ")


def test_an_environment_of_a_python_that_is_gone_is_made_anew(house: House) -> None:
    house.start()
    house.calls()
    (house.folder / ".venv" / "bin" / "python").write_text('#!/bin/sh\n[ "$2" != "import pip" ]\n')
    house.start()
    assert [call.split()[0] for call in house.calls()] == ["pip", "app.py"]


def test_sigterm_reaches_the_program_and_its_exit_code_comes_back(house: House) -> None:
    (house.folder / "wait_for_signal").touch()
    process = subprocess.Popen(["bash", "start_app.sh"], cwd=house.folder, env=house.environment())
    try:
        for _ in range(600):
            if (house.folder / "started").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert house.calls()[-1] == "terminated"


def test_without_a_fitting_python_it_says_which_to_install(house: House) -> None:
    for name in ("python3.10", "python3.11", "python3.12", "python3.13", "python3"):
        house.command(name, "#!/bin/sh\nexit 1\n")
    refused = house.start()
    assert refused.returncode == 1 and "3.10" in refused.stderr
    assert "没有找到" in house.start(LC_ALL="zh_CN.UTF-8").stderr


def test_no_requirement_is_unpinned_or_brings_torchaudio() -> None:
    for file in ROOT.glob("requirements*.txt"):
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert "==" in line and "torchaudio" not in line, f"{file.name}: {line}"
