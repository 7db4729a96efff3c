"""What the contract promises to engines from outside and to benchmarks that take the voice model by itself."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.api_kit import wav
from tests.cosyvoice.conftest import build
from tests.speech_kit import hum
from webui.engines import cosyvoice

ROOT = Path(__file__).resolve().parent.parent
RATE = 24_000
PLUGIN = """
from webui.engines.base import Recognition, RecognizerCapabilities, RecognizerModel

class Parrot:
    capabilities = RecognizerCapabilities(languages=("zh",))
    def __init__(self, device): pass
    def recognize(self, batch, options): return [Recognition("鹦鹉", "鹦鹉", "zh") for _ in batch]
    def close(self): pass

def models(settings):
    return [RecognizerModel("parrot", "birds", "1", Parrot.capabilities, Parrot, default_rank=99)]
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a plug-in package and a recording."""
    package = tmp_path / "birds"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "parrot.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "a.wav").write_bytes(wav(1))
    return tmp_path


def app(house: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    place = ["--data", str(house / "data"), "--models", str(house / "models"), "--device", "cpu"]
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SHENGFANG_")},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(house)]),
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C",
        "SHENGFANG_DISK_RESERVE_BYTES": "0",
        "SHENGFANG_BALLAST_BYTES": "0",
        **environment,
    }
    command = [sys.executable, str(ROOT / "app.py"), *arguments, *place]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120)


class TestEnginesByModule:
    def test_a_module_named_in_the_configuration_brings_its_models(self, house: Path) -> None:
        (house / "config.toml").write_text('engines = ["birds.parrot"]\n')
        done = app(house, "transcribe", str(house / "a.wav"), "--config", str(house / "config.toml"))
        assert done.returncode == 0, done.stderr
        assert (house / "a.txt").read_text(encoding="utf-8").strip() == "鹦鹉"

    @pytest.mark.parametrize(
        "named", ["birds.parrot,benchmarks.fake_engine", '["birds.parrot", "benchmarks.fake_engine"]']
    )
    def test_several_are_named_in_the_environment(self, house: Path, named: str) -> None:
        done = app(house, "models", "list", "--json", SHENGFANG_ENGINES=named)
        listed = json.loads(done.stdout)["models"]
        assert {"basic", "parrot", "fake"} <= {model["name"] for model in listed}
        assert [model["engine"] for model in listed if model["name"] == "parrot"] == ["birds"]

    def test_one_that_is_not_there_or_fails_leaves_the_others(self, house: Path) -> None:
        (house / "birds" / "ill.py").write_text("raise RuntimeError('ill')\n")
        done = app(house, "models", "list", "--json", SHENGFANG_ENGINES="birds.dodo,birds.ill,birds.parrot")
        listed = {model["name"]: model["problem"] for model in json.loads(done.stdout)["models"]}
        assert done.returncode == 0 and listed["parrot"] is None and "basic" in listed


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return cosyvoice.load(build(tmp_path_factory.mktemp("model") / "tiny"), "cpu", "float32")


class TestCosyVoiceByItself:
    def test_load_and_synthesize_take_what_the_contract_says(self) -> None:
        from webui.engines.cosyvoice.reference_api import ReferenceRuntime

        assert [*inspect.signature(cosyvoice.load).parameters][:3] == ["folder", "device", "dtype"]
        taken = inspect.signature(ReferenceRuntime.synthesize).parameters
        placed = [name for name, one in taken.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
        assert placed == ["self", "text", "prompt", "prompt_rate", "prompt_text"]
        named = {name: one.default for name, one in taken.items() if one.kind is one.KEYWORD_ONLY}
        assert {"mode", "instruct", "forced_tokens", "source_noise", "steps", "stream", "trace"} <= named.keys()
        assert (named["forced_tokens"], named["source_noise"], named["trace"]) == (None, None, None)
        assert (named["steps"], named["stream"]) == (10, False)

    def test_it_is_importable_without_server_or_database(self) -> None:
        ask = (
            "import sys, webui.engines.cosyvoice as it; it.load; import webui.engines.cosyvoice.runtime;"
            "print(sorted(name for name in sys.modules if name.split('.')[0] in ('sqlalchemy', 'fastapi', 'gradio')"
            " or name.startswith(('webui.store', 'webui.server', 'webui.service', 'webui.jobs'))))"
        )
        done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr

    @pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual", "instruct"])
    def test_forced_tokens_are_fed_one_a_step_and_the_trace_has_a_row_of_logits_for_each(
        self, runtime: Any, mode: str
    ) -> None:
        trace: dict[str, Any] = {}
        samples = runtime.synthesize(
            *("今天天气很好。", hum(3.5, 16_000), 16_000, "你好，请问有什么可以帮您？"),
            mode=mode,
            instruct="用四川话说" if mode == "instruct" else "",
            forced_tokens=TOKENS,
            steps=2,
            trace=trace,
        )
        assert samples.dtype == np.float32 and len(samples) > 0
        assert trace["logits"].shape[0] == len(TOKENS) and np.isfinite(np.asarray(trace["logits"])).all()
        assert set(np.asarray(trace["gen_token"]).reshape(-1)) <= set(TOKENS)

    def test_a_recording_is_converted_as_long_as_it_is(self, runtime: Any) -> None:
        samples = runtime.synthesize(
            hum(1.6, 16_000, 180), hum(3.5, 16_000), 16_000, "", mode="convert", instruct="", steps=2
        )
        assert len(samples) / RATE == pytest.approx(1.6, abs=0.1)

    def test_a_stream_gives_pieces(self, runtime: Any) -> None:
        forced = [7 + number % 90 for number in range(80)]
        pieces = list(
            runtime.synthesize(
                *("今天天气很好。", hum(3.5, 16_000), 16_000, "你好。"),
                mode="zero_shot",
                instruct="",
                forced_tokens=forced,
                steps=2,
                stream=True,
            )
        )
        assert len(pieces) > 1 and all(piece.dtype == np.float32 for piece in pieces)

    def test_another_mode_is_an_error(self, runtime: Any) -> None:
        with pytest.raises(ValueError, match="sing"):
            runtime.synthesize("你好", hum(1.0, 16_000), 16_000, "你好", mode="sing", instruct="")


TOKENS = [5, 17, 29, 41, 53, 65, 77, 89, 101, 113]
