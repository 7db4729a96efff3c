"""A model folder runs none of its code and fetches nothing, whatever its configuration asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

# Loads the model `sick` as a job would, and says what came of it and which addresses were asked for.
LOADED = """
import json, sys
from pathlib import Path
asked = []
sys.addaudithook(lambda name, given: asked.append(str(given[0])) if name == "socket.getaddrinfo" else None)
from webui.engines import catalog
from webui.errors import UserError
from webui.settings import Settings, work_offline
settings = Settings(models=Path(sys.argv[1]), data=Path(sys.argv[2]))
work_offline(settings)
(model,) = [model for model in catalog.available(settings) if model.name == "sick"]
code = reason = None
try:
    model.load("cpu")
except UserError as error:
    code, reason = error.code, getattr(error.params.get("reason"), "code", None)
except Exception as error:
    code = type(error).__name__
print(json.dumps([code, reason, asked, "modelscope.hub" in sys.modules]))
"""
EVIL = """
open({ran!r}, "w").write("code of the folder ran")
from transformers import PretrainedConfig, Qwen3ForCausalLM
class EvilConfig(PretrainedConfig):
    model_type = "evil"
class EvilModel(Qwen3ForCausalLM): pass
class EvilProcessor: pass
"""
AUTO_MAP = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel", "AutoModelForCausalLM": "evil.EvilModel"}
AUTO_MAP |= {"AutoProcessor": "evil.EvilProcessor"}


@pytest.fixture
def sick(tmp_path: Path, model_folders: Path) -> Callable[..., Path]:
    """A copy of a folder whose configuration is changed, with a Python file beside it."""

    def make(name: str, change: Callable[[dict[str, Any]], object]) -> Path:
        folder = tmp_path / "models" / "sick"
        shutil.copytree(model_folders / name, folder)
        config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        change(config)
        (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
        (folder / "evil.py").write_text(EVIL.format(ran=str(tmp_path / "RAN")), "utf-8")
        return folder

    return make


@pytest.fixture
def loaded(tmp_path: Path, in_child: Callable[..., str]) -> Callable[[], tuple[str | None, str | None]]:
    """Code and reason of loading it; that nothing ran and nothing was asked for is looked at here."""

    def load() -> tuple[str | None, str | None]:
        code, reason, asked, hub = json.loads(in_child(LOADED, tmp_path / "models", tmp_path / "data"))
        assert not (tmp_path / "RAN").exists(), "code of the folder ran"
        assert asked == [] and not hub
        return code, reason

    return load


def test_a_class_that_runs_the_folders_code_is_not_built(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    folder = sick("sensevoice", lambda config: config.update(model="GLMASR", model_path="."))
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": AUTO_MAP}))
    (folder / "processor_config.json").write_text(json.dumps({"auto_map": AUTO_MAP}))
    config = (folder / "config.yaml").read_text("utf-8").replace("model_path: .", f"model_path: {folder}")
    (folder / "config.yaml").write_text(config, "utf-8")
    assert loaded() == ("MODEL_BROKEN", "CLASS_UNSUPPORTED")


def test_a_class_that_asks_a_hub_is_not_built(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    sick("sensevoice", lambda config: config.update(model="GLMASR", model_path="zai-org/GLM-ASR-Nano-2512", hub="ms"))
    assert loaded() == ("MODEL_BROKEN", "CLASS_UNSUPPORTED")


def test_a_part_that_downloads_is_not_built(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    sick("sensevoice", lambda config: config.update(encoder="OpenAIWhisperEncoderWarp", encoder_conf={}))
    assert loaded() == ("MODEL_BROKEN", "CLASS_UNSUPPORTED")


def test_leave_to_run_code_is_not_taken_from_a_folder(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    folder = sick("nano", lambda config: config["llm_conf"].update(load_kwargs={"trust_remote_code": True}))
    language_model = folder / "Qwen3-0.6B"
    described = json.loads((language_model / "config.json").read_text("utf-8"))
    (language_model / "config.json").write_text(json.dumps({**described, "auto_map": AUTO_MAP}), "utf-8")
    shutil.copy(folder / "evil.py", language_model)
    assert loaded() == (None, None)


def test_a_part_of_another_repository_is_not_fetched(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    def change(config: dict[str, Any]) -> None:
        config["model_conf"] = {"audio_encoder": "iic/SenseVoiceSmall", "audio_encoder_conf": {"hub": "ms"}}
        del config["audio_encoder"], config["audio_encoder_conf"]

    sick("nano", change)
    code, _ = loaded()
    assert code is not None


def test_a_tokenizer_of_a_hub_is_not_fetched(sick: Callable[..., Path], loaded: Callable[[], Any]) -> None:
    sick("nano", lambda config: config.update(tokenizer_conf={"init_param_path": "Qwen/Qwen3-0.6B"}))
    code, _ = loaded()
    assert code is not None


def test_code_that_somebody_allowed_is_not_loaded_meanwhile(in_child: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": AUTO_MAP}))
    (tmp_path / "evil.py").write_text(EVIL.format(ran=str(tmp_path / "RAN")), "utf-8")
    code = """
import sys
from webui.engines.funasr.import_guard import no_code_of_folders
from webui.errors import UserError
from transformers import AutoConfig
try:
    with no_code_of_folders():
        AutoConfig.from_pretrained(sys.argv[1], trust_remote_code=True)
except UserError as error:
    print(error.code)
"""
    assert in_child(code, tmp_path).strip() == "CLASS_UNSUPPORTED"
    assert not (tmp_path / "RAN").exists()
