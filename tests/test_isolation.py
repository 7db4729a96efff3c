"""Nothing leaves the machine and nothing is written outside `data/`: watched from outside, native code included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from tests import api_kit
from tests.browser.conftest import CHROMIUM
from tests.cosyvoice.conftest import build
from tests.funasr import builder
from tests.speech_kit import speech

ROOT = Path(__file__).resolve().parent.parent
ISOLATED = ("unshare", "--net", "--mount", "--map-root-user")
ENGINES = {
    "sensevoice": builder.sense_voice,
    "seaco": builder.paraformer,
    "nano": builder.nano,
    "campplus": builder.campplus,
    "punctuation": lambda folder: builder.punctuation(folder, words=("今天", "天气")),
}

Round = Callable[[str], SimpleNamespace]


def own_environment(home: Path) -> dict[str, str]:
    """As a service has it: of the many variables that would keep a library quiet, none."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PWD": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("home", "data", "models"):
        (tmp_path / name).mkdir()
    shutil.copytree(ROOT / "models" / "selftest-zh", tmp_path / "models" / "selftest-zh")
    for language in ("en", "zh"):
        soundfile.write(tmp_path / f"{language}.wav", speech(4, 16_000), 16_000)
    return tmp_path


@pytest.fixture(scope="module")
def isolation(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whether this system gives its users networks and file systems of their own."""
    if not all(map(shutil.which, ("unshare", "ip", "mount"))):
        pytest.skip("no unshare, ip or mount on this machine")
    tried = subprocess.run(
        [*ISOLATED, sys.executable, "-c", "from tests.isolated_machine import Machine; Machine()"],
        cwd=ROOT,
        env=own_environment(tmp_path_factory.mktemp("home")),
        capture_output=True,
        text=True,
    )
    if tried.returncode:
        pytest.skip(f"no network and file systems of one's own here: {tried.stderr.strip()[-300:]}")


@pytest.fixture
def go(folder: Path, isolation: None) -> Round:
    """Go a round of `isolated_child`."""

    def went(name: str) -> SimpleNamespace:
        command = [*ISOLATED, sys.executable, "-m", "tests.isolated_child", name, str(folder)]
        done = subprocess.run(
            command, cwd=ROOT, env=own_environment(folder / "home"), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return SimpleNamespace(**json.loads(done.stdout.splitlines()[-1]))

    return went


def is_quiet(seen: SimpleNamespace) -> None:
    assert seen.lookups == []
    assert seen.addresses == []
    assert not seen.written, seen.written


def test_the_watch_sees_programs_that_are_not_python(go: Round, folder: Path) -> None:
    seen = go("call-outside")
    assert "lookup.example.org" in seen.lookups and seen.addresses == ["192.0.2.1"]
    in_tmp = ["/tmp/kept"] if "/tmp" in seen.remembered else []
    assert seen.written == sorted([*in_tmp, str(folder / "home" / "kept")])


@pytest.mark.slow
def test_a_server_that_works_is_quiet(go: Round) -> None:
    seen = go("serve")
    assert seen.ended == {"basic": "done", "selftest-zh": "done", "speech": 200}
    is_quiet(seen)


@pytest.mark.slow
def test_the_commands_are_quiet(go: Round) -> None:
    seen = go("command")
    assert set(seen.ended.values()) == {0}
    is_quiet(seen)


@pytest.mark.slow
@pytest.mark.browser
def test_the_pages_are_quiet(go: Round) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    seen = go("pages")
    assert seen.ended == {"requests": True, "elsewhere": []}
    is_quiet(seen)


@pytest.mark.slow
def test_every_engine_is_quiet(go: Round, folder: Path) -> None:
    for name, make in ENGINES.items():
        (folder / "models" / name).mkdir()
        make(folder / "models" / name)
    build(folder / "models" / "cosyvoice")
    (folder / "prompt.wav").write_bytes(api_kit.prompt())
    seen = go("every-engine")
    assert set(seen.ended) > {"basic", "sensevoice", "seaco", "nano", "basic speaks", "cosyvoice speaks"}
    assert set(seen.ended.values()) <= {"done", "partial"}
    is_quiet(seen)


@pytest.mark.slow
def test_an_engine_called_as_a_library_is_quiet(go: Round, folder: Path) -> None:
    build(folder / "models" / "cosyvoice")
    seen = go("library")
    assert seen.ended == {"cosyvoice": 0}
    is_quiet(seen)
