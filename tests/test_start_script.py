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
    "-c "*) [[ "$2" != *'print("cp'* ]] || echo cp311 ;;
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


class ScriptFolder:
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

    def wheelhouse(self, tags: str = "cp311-cp311-manylinux_2_27_{machine}") -> Path:
        """A folder as `--pack` makes it, of one wheel."""
        folder = self.folder.parent / "packed"
        folder.mkdir()
        (folder / f"numpy-2.4.0-{tags.format(machine=os.uname().machine)}.whl").touch()
        return folder

    def calls(self) -> list[str]:
        """What was called since the last look."""
        file = self.home / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def scripted(tmp_path: Path) -> ScriptFolder:
    if list(Path("/dev").glob("davinci[0-9]*")) or Path("/usr/local/Ascend").exists():
        pytest.skip("an Ascend machine: the choice of requirements is its own")
    return ScriptFolder(tmp_path)


def test_the_first_start_installs_and_the_second_touches_no_network(scripted: ScriptFolder) -> None:
    assert scripted.start("--port", "7861").returncode == 0
    install, app = scripted.calls()
    assert install.startswith("pip install") and install.endswith("-r requirements.txt")
    assert app == f"app.py --port 7861 | in={scripted.folder} host=0.0.0.0 cann= offline=1"
    scripted.start()
    assert scripted.calls() == [f"app.py | in={scripted.folder} host=0.0.0.0 cann= offline=1"]


def test_changed_requirements_are_installed_again(scripted: ScriptFolder) -> None:
    scripted.start()
    scripted.calls()
    (scripted.folder / "requirements-common.txt").write_text("gradio\n")
    scripted.start()
    assert scripted.calls()[0].startswith("pip install")


def test_a_failed_installation_is_said_and_tried_again(scripted: ScriptFolder) -> None:
    scripted.command("python3.11", PYTHON.replace('echo "pip $*" >> "$HOME/calls"', "exit 1"))
    failed = scripted.start()
    assert failed.returncode == 1 and "--wheelhouse" in failed.stderr
    assert scripted.calls() == [] and not (scripted.folder / ".venv" / "installed").exists()


def test_a_gpu_gets_the_cuda_requirements(scripted: ScriptFolder) -> None:
    scripted.command("nvidia-smi", "#!/bin/sh\nexit 0\n")
    scripted.start()
    assert scripted.calls()[0].endswith("-r requirements-cuda.txt")


def test_an_ascend_machine_gets_its_requirements_and_canns_environment(scripted: ScriptFolder) -> None:
    toolkit = scripted.home / "Ascend" / "ascend-toolkit"
    toolkit.mkdir(parents=True)
    (toolkit / "set_env.sh").write_text('export CANN_SOURCED=yes OTHER="$NOT_SET_BEFORE"\nfalse\n')
    scripted.start("devices")
    install, app = scripted.calls()
    assert install.endswith("-r requirements-npu.txt")
    assert app.startswith("app.py devices |") and "cann=yes" in app


def test_the_torch_index_may_be_a_url_or_a_folder(scripted: ScriptFolder, tmp_path: Path) -> None:
    scripted.start(SHENGFANG_TORCH_INDEX="https://example.org/cpu")
    assert "--extra-index-url https://example.org/cpu" in scripted.calls()[0]
    scripted.start(SHENGFANG_TORCH_INDEX=str(tmp_path))
    assert f"--find-links {tmp_path}" in scripted.calls()[0]


def test_a_wheelhouse_needs_no_network(scripted: ScriptFolder) -> None:
    packed = scripted.wheelhouse()
    scripted.start("--wheelhouse", str(packed), "--port", "7861")
    install, app = scripted.calls()
    assert f"--no-index --find-links {packed}" in install
    assert app.startswith("app.py --port 7861 |")


@pytest.mark.parametrize("tags", ["cp312-cp312-manylinux_2_27_{machine}", "cp311-cp311-manylinux_2_27_sparc64"])
def test_wheels_of_another_python_or_machine_are_named_before_pip_tries(scripted: ScriptFolder, tags: str) -> None:
    refused = scripted.start("--wheelhouse", str(scripted.wheelhouse(tags)))
    assert refused.returncode == 1 and tags.format(machine=os.uname().machine) in refused.stderr
    assert "cp311" in refused.stderr and scripted.calls() == []


def test_a_folder_without_wheels_is_no_wheelhouse(scripted: ScriptFolder, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "mistyped"):
        refused = scripted.start(SHENGFANG_WHEELHOUSE=str(folder))
        assert refused.returncode == 1 and f"{folder} holds no wheels" in refused.stderr
    assert scripted.calls() == []


@pytest.mark.parametrize("option", ["--wheelhouse", "--pack"])
@pytest.mark.parametrize("after", [[], [""], ["--port", "7861"]], ids=["nothing", "empty", "option"])
def test_an_option_without_its_folder_starts_nothing(scripted: ScriptFolder, option: str, after: list[str]) -> None:
    refused = scripted.start(option, *after)
    assert refused.returncode == 1 and refused.stderr == f"{option} needs a folder after it.\n"
    assert scripted.calls() == [] and not (scripted.folder / ".venv").exists()


def test_packing_collects_wheels_and_starts_nothing(scripted: ScriptFolder) -> None:
    packed = scripted.start("--pack", "wheels")
    assert packed.returncode == 0 and (scripted.folder / "wheels").is_dir()
    (call,) = scripted.calls()
    assert call.startswith("pip wheel") and f"--wheel-dir {scripted.folder}/wheels -r requirements.txt" in call


def test_packing_takes_what_the_tests_need_on_request(scripted: ScriptFolder) -> None:
    scripted.start("--pack", "wheels", "--with-tests")
    (call,) = scripted.calls()
    assert call.endswith("-r requirements.txt -r requirements-dev.txt")
    refused = scripted.start("--with-tests")
    assert refused.returncode == 1 and "--pack" in refused.stderr and scripted.calls() == []


def test_packing_that_fails_is_not_called_done(scripted: ScriptFolder) -> None:
    scripted.command("python3.11", PYTHON.replace('echo "pip $*" >> "$HOME/calls"', "exit 1"))
    failed = scripted.start("--pack", "wheels")
    assert failed.returncode == 1 and "Packing failed" in failed.stderr and "Done" not in failed.stderr


@pytest.mark.parametrize(
    ("machine", "requirements", "said"),
    [
        ("x86_64", "requirements-npu.txt", "Ascend on x86_64"),
        ("aarch64", "requirements-npu.txt", ""),
        ("x86_64", "requirements.txt", "brings CUDA"),
        ("aarch64", "requirements.txt", "brings CUDA"),
        ("aarch64", "requirements-cuda.txt", ""),
    ],
)
def test_which_torch_is_needed_is_said_before_it_is_looked_for(
    scripted: ScriptFolder, machine: str, requirements: str, said: str
) -> None:
    scripted.command("uname", f"#!/bin/sh\necho {machine}\n")
    packed = scripted.start("--pack", "wheels", SHENGFANG_REQUIREMENTS=requirements)
    assert said in packed.stderr and ("SHENGFANG_TORCH_INDEX" in packed.stderr) == bool(said)
    named = scripted.start("--pack", "wheels", SHENGFANG_REQUIREMENTS=requirements, SHENGFANG_TORCH_INDEX="/")
    assert "SHENGFANG_TORCH_INDEX" not in named.stderr


def test_the_check_changes_nothing_where_nothing_is_installed(scripted: ScriptFolder) -> None:
    checked = scripted.start("--check")
    assert checked.returncode == 1 and "requirements.txt" in checked.stderr
    assert scripted.calls() == [] and not (scripted.folder / ".venv").exists()


def test_the_check_is_the_doctor(scripted: ScriptFolder) -> None:
    scripted.start()
    scripted.calls()
    scripted.start("--check", "--json")
    assert scripted.calls()[0].startswith("app.py doctor --json |")


def test_exit_code_75_starts_it_again_and_any_other_is_passed_on(scripted: ScriptFolder) -> None:
    (scripted.folder / "exit_codes").write_text("75\n75\n3\n")
    assert scripted.start("--port", "7861").returncode == 3
    assert len([call for call in scripted.calls() if call.startswith("app.py")]) == 3


def test_other_commands_are_not_started_again(scripted: ScriptFolder) -> None:
    (scripted.folder / "exit_codes").write_text("75\n0\n")
    assert scripted.start("transcribe", "a.wav").returncode == 75


def test_a_host_of_the_administrators_is_kept(scripted: ScriptFolder) -> None:
    scripted.start(SHENGFANG_HOST="10.0.0.1")
    assert "host=10.0.0.1" in scripted.calls()[-1]
    (scripted.folder / "config.toml").write_text('host = "10.0.0.2"\n')
    scripted.start()
    assert "host= " in scripted.calls()[-1]


@pytest.mark.parametrize("given", [["--config", "there.toml"], ["--config=there.toml"]])
def test_a_host_of_the_file_that_is_named_is_kept(scripted: ScriptFolder, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "there.toml").write_text('port = 1\n  host="10.0.0.2"\n')
    scripted.start(*given, folder=tmp_path)
    assert "host= " in scripted.calls()[-1]


def test_from_another_folder_and_by_a_link_paths_are_the_callers(scripted: ScriptFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(scripted.folder / "start_app.sh")
    scripted.wheelhouse()
    scripted.start("--wheelhouse", "packed", "transcribe", "a.wav", folder=tmp_path, script=tmp_path / "link")
    install, app = scripted.calls()
    assert f"--find-links {tmp_path}/packed " in install
    assert app.startswith(f"app.py transcribe a.wav | in={tmp_path} ")


def test_from_a_folder_that_cannot_be_entered_it_starts_nevertheless(scripted: ScriptFolder, tmp_path: Path) -> None:
    script = f"mkdir gone && cd gone && rmdir ../gone && exec bash {scripted.folder}/start_app.sh doctor"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=scripted.environment(), check=True, timeout=60)
    assert scripted.calls()[-1].startswith(f"app.py doctor | in={scripted.folder} ")


def test_an_environment_of_a_python_that_is_gone_is_made_anew(scripted: ScriptFolder) -> None:
    scripted.start()
    scripted.calls()
    (scripted.folder / ".venv" / "bin" / "python").write_text('#!/bin/sh\n[ "$2" != "import pip" ]\n')
    scripted.start()
    assert [call.split()[0] for call in scripted.calls()] == ["pip", "app.py"]


def test_sigterm_reaches_the_program_and_its_exit_code_comes_back(scripted: ScriptFolder) -> None:
    (scripted.folder / "wait_for_signal").touch()
    process = subprocess.Popen(["bash", "start_app.sh"], cwd=scripted.folder, env=scripted.environment())
    try:
        for _ in range(600):
            if (scripted.folder / "started").exists():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert scripted.calls()[-1] == "terminated"


def test_without_a_fitting_python_it_says_which_to_install(scripted: ScriptFolder) -> None:
    for name in ("python3.10", "python3.11", "python3.12", "python3.13", "python3"):
        scripted.command(name, "#!/bin/sh\nexit 1\n")
    refused = scripted.start()
    assert refused.returncode == 1 and "3.10" in refused.stderr
    assert "没有找到" in scripted.start(LC_ALL="zh_CN.UTF-8").stderr


@pytest.mark.parametrize("named", ["/nowhere/python3.11", "python2.7", "old", "with blank/python"])
def test_a_python_that_is_named_and_does_not_fit_is_not_replaced(scripted: ScriptFolder, named: str) -> None:
    scripted.command("old", "#!/bin/sh\nexit 1\n")
    refused = scripted.start(SHENGFANG_PYTHON=named)
    assert refused.returncode == 1 and f"SHENGFANG_PYTHON={named} is no usable Python" in refused.stderr
    assert scripted.calls() == []


def test_a_python_that_is_named_is_taken(scripted: ScriptFolder) -> None:
    scripted.command("my own python", PYTHON)
    scripted.command("python3.11", "#!/bin/sh\nexit 1\n")
    assert scripted.start(SHENGFANG_PYTHON=str(scripted.stubs / "my own python")).returncode == 0


def test_without_a_home_it_starts(scripted: ScriptFolder) -> None:
    """As cron and Ansible do."""
    scripted.command("python3.11", PYTHON.replace("$HOME", str(scripted.home)))
    environment = scripted.environment()
    del environment["HOME"]
    command = ["bash", "start_app.sh", "doctor"]
    subprocess.run(command, cwd=scripted.folder, env=environment, check=True, capture_output=True, timeout=60)
    assert scripted.calls()[-1].startswith("app.py doctor |")


@pytest.mark.skipif(shutil.which("dash") is None, reason="no dash on this machine")
def test_a_shell_that_is_not_bash_hands_over_to_it(scripted: ScriptFolder) -> None:
    command = ["dash", "start_app.sh", "--port", "7861"]
    subprocess.run(command, cwd=scripted.folder, env=scripted.environment(), check=True, capture_output=True)
    assert scripted.calls()[-1].startswith("app.py --port 7861 |")


def test_the_help_has_the_options_of_the_script_and_then_those_of_the_program(scripted: ScriptFolder) -> None:
    before = scripted.start("--help")
    assert before.returncode == 0 and scripted.calls() == [] and not (scripted.folder / ".venv").exists()
    for option in ("--check", "--pack DIR", "--with-tests", "--wheelhouse DIR", "SHENGFANG_PYTHON"):
        assert option in before.stdout
    assert "收集" in scripted.start("--help", LC_ALL="zh_CN.UTF-8").stdout
    scripted.start("doctor")
    scripted.calls()
    assert "--pack DIR" in scripted.start("--help").stdout
    assert scripted.calls()[0].startswith("app.py --help |")
    scripted.start("transcribe", "--help")
    assert scripted.calls()[0].startswith("app.py transcribe --help |")


def test_no_requirement_is_unpinned_or_brings_torchaudio() -> None:
    for file in ROOT.glob("requirements*.txt"):
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert "==" in line and "torchaudio" not in line, f"{file.name}: {line}"
