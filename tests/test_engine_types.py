"""An engine that breaks its protocol is seen by mypy: in each engine, a renamed method and one parameter too many."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BREAKS = {
    "webui/engines/funasr/recognizer.py": "recognize",
    "webui/engines/basic/recognizer.py": "recognize",
    "webui/engines/basic/synthesizer.py": "enrol",
    "webui/engines/cosyvoice/synthesizer.py": "enrol",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program that mypy has read once."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "webui", root / "webui", ignore=shutil.ignore_patterns("__pycache__", "static"))
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    assert "no issues" in checked(root)
    return root


def checked(root: Path) -> str:
    return subprocess.run([sys.executable, "-m", "mypy"], cwd=root, capture_output=True, text=True).stdout


@pytest.mark.parametrize("file", BREAKS)
@pytest.mark.parametrize("change", [r"def \g<1>ed(self, ", r"def \1(self, needed: int, "], ids=["renamed", "parameter"])
def test_an_engine_that_breaks_its_protocol_does_not_pass(tree: Path, file: str, change: str) -> None:
    text = (tree / file).read_text("utf-8")
    broken, count = re.subn(rf"def ({BREAKS[file]})\(self, ", change, text)
    assert count == 1
    (tree / file).write_text(broken, "utf-8")
    try:
        assert "error:" in checked(tree)
    finally:
        (tree / file).write_text(text, "utf-8")
