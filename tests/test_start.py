"""What the program does before its first page: nothing heavy is imported, and the installation is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Builds the whole application as `serve` does, and tells the heavy modules and the stubs of Gradio that it touched.
START = """
import json, sys
from pathlib import Path

stubs = []
sys.addaudithook(lambda event, given: event == "open" and str(given[0]).endswith(".pyi") and stubs.append(given[0]))
from webui.pages.application import mount
from webui.server.application import create_app
from webui.service.services import Services
from webui.settings import Settings

services = Services(Settings(data=sys.argv[1], models=sys.argv[2]))
mount(create_app(services), services)
heavy = {"torch", "scipy", "librosa", "numba", "funasr", "transformers", "onnxruntime", "pocketsphinx", "docx"}
print(json.dumps([sorted(heavy & set(sys.modules)), sorted(stubs)]))
"""


def test_the_server_starts_without_heavy_modules_and_without_gradios_type_stubs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path / "data"), str(ROOT / "models")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[], []]


PROXIES = ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")


@pytest.mark.parametrize(
    "given",
    [
        *({name: "socks5://127.0.0.1:9"} for name in PROXIES),
        dict.fromkeys(PROXIES, "no proxy at all"),
        dict.fromkeys(PROXIES, "http://127.0.0.1:9") | {"NO_PROXY": "[::1,*.[bad], ://,\u4e2d.\u56fd,a b"},
        {"no_proxy": "http://[::1, *"},
    ],
    ids=lambda given: "+".join(given),
)
def test_a_proxy_in_the_environment_does_not_stop_the_start(tmp_path: Path, given: dict[str, str]) -> None:
    """Managed desktops and administrators' shells carry such variables; the program itself calls nobody."""
    command = [sys.executable, "-c", START, str(tmp_path / "data"), str(ROOT / "models")]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
