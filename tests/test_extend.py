"""The page on extending: its engine works as it stands there, and the files that it names are there."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.api_kit import wav
from tests.engine_contract import keeps_to_the_contract
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "webui/pages/static/samples"
PAGE = (ROOT / "docs/extend.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine of the page as a module, and a recording."""
    made = tmp_path_factory.mktemp("extend")
    (made / "models").mkdir()
    (made / "my_engine.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], "utf-8")
    (made / "a.wav").write_bytes(wav(1))
    return made


def app(folder: Path, *arguments: str) -> str:
    """What the command prints, with the engine named as the page names it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHENGFANG_")}
    named = re.findall(r"^SHENGFANG_ENGINES=(\w+) ", PAGE, re.MULTILINE)
    environment |= {
        "SHENGFANG_ENGINES": named[0],
        "SHENGFANG_DISK_RESERVE_BYTES": "0",
        "SHENGFANG_BALLAST_BYTES": "0",
        "LC_ALL": "C.UTF-8",
    }
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    place = ("--data", "data", "--models", "models", "--device", "cpu")
    command = [sys.executable, str(ROOT / "app.py"), *arguments, *place]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_engine_of_the_page_transcribes(folder: Path) -> None:
    app(folder, "transcribe", "a.wav", "--model", "checksum")
    assert re.fullmatch(r"[0-9a-f]{8}", (folder / "a.txt").read_text("utf-8").strip())


@pytest.mark.parametrize(
    "voice", [("--voice", "builtin"), ("--prompt", "p.wav", "--consent", "self", "--subject", "me")]
)
def test_the_engine_of_the_page_speaks_with_its_own_voice_and_a_cloned_one(
    folder: Path, voice: tuple[str, ...]
) -> None:
    (folder / "p.wav").write_bytes((SAMPLES / "sample_prompt.wav").read_bytes())
    app(folder, "speak", "Hello there.", *voice, "--model", "tones", "--out", "said.wav")
    samples, rate = soundfile.read(folder / "said.wav")
    assert rate == 24_000 and abs(samples).max() > 0.05


def test_the_models_of_the_page_keep_to_the_contract_of_every_engine(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "my_engine", raising=False)
    recording, _ = soundfile.read(SAMPLES / "sample_zh.wav", dtype="float32")
    models = importlib.import_module("my_engine").models(settings)
    assert [model.kind for model in models] == ["recognizer", "synthesizer"]
    for model in models:
        keeps_to_the_contract(model, recording[: 6 * 16_000])


def test_the_engine_of_the_page_has_the_types_of_the_protocol(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(folder / "mypy"), str(folder / "my_engine.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Success" in ran.stdout, ran.stdout


def test_every_file_that_the_page_names_is_there() -> None:
    """But those of the last table, which tells of former ones."""
    recipes = PAGE.split("## 要改几个文件")[0]
    named = set(re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|js|css|json|toml|md|txt|sh))`", recipes)) - {"my_engine.py"}
    places = (ROOT, ROOT / "webui")
    assert "text/formats.py" in named
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()
