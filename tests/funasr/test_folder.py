"""Model folders: recognised by content, checked before loading, and errors that name file and key."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from webui.engines import funasr
from webui.engines.funasr import folder as folders
from webui.engines.funasr.loading import build
from webui.errors import Notice, UserError
from webui.jobs.post_processing import JobCapabilities
from webui.settings import Settings
from webui.untrusted import Unreadable


def _reason(problem: Notice | None) -> str:
    assert problem is not None
    return problem.worded("en").message


def test_each_family_is_known_by_its_content_and_says_what_it_can(own_models: Path, settings: Settings) -> None:
    (own_models / "sensevoice").rename(own_models / "renamed")
    found = {model.name: model for model in funasr.models(settings)}
    assert found["renamed"].capabilities.itn and found["renamed"].problem is None
    assert all(JobCapabilities.of(model.capabilities, ()).hotwords for model in found.values())
    assert found["streaming"].capabilities.streaming
    assert max(found.values(), key=lambda model: model.default_rank).name == "nano"


def test_listing_imports_neither_torch_nor_funasr(own_models: Path, in_child: Callable[..., str]) -> None:
    code = (
        "import sys; from pathlib import Path; from webui.settings import Settings; from webui.engines import funasr;"
        "print(len(funasr.models(Settings(models=Path(sys.argv[1])))));"
        "print([name for name in ('torch', 'funasr', 'onnxruntime') if name in sys.modules])"
    )
    assert in_child(code, own_models).splitlines() == ["5", "[]"]


def test_a_folder_with_config_yaml_alone_works(own_models: Path, settings: Settings) -> None:
    (own_models / "sensevoice" / "configuration.json").unlink()
    folder = folders.read(own_models / "sensevoice")
    assert folder is not None and folder.problem is None
    assert folder.config["tokenizer_conf"]["bpemodel"].endswith("chn_jpn_yue_eng_ko_spectok.bpe.model")
    assert build(folder, "cpu").config["vocab_size"] == 120


def test_configurations_are_read_as_funasr_reads_them(own_models: Path) -> None:
    folder = folders.read(own_models / "nano")
    assert folder is not None
    assert folder.config["tokenizer_conf"]["init_param_path"] == str(own_models / "nano" / "Qwen3-0.6B")
    assert folder.config["ctc_tokenizer_conf"]["vocab_path"].endswith("nano/multilingual.tiktoken")
    config = own_models / "nano" / "config.yaml"
    config.write_text(config.read_text("utf-8") + "circle: ${circle}\nnobody: ${no.one}\ntiny: 1e-5\n", "utf-8")
    folder = folders.read(own_models / "nano")
    assert folder is not None and folder.config["tiny"] == 1e-5
    assert folder.config["circle"] == "${circle}" and folder.config["nobody"] == "${no.one}"


def test_other_folders_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.yaml").write_text("[not, a, mapping]", "utf-8")
    (tmp_path / "odd" / "configuration.json").write_text("[]", "utf-8")
    assert funasr.models(Settings(models=tmp_path)) == []


def test_models_that_recognise_no_speech_are_not_offered_for_it(own_models: Path, settings: Settings) -> None:
    for name, kind in (("sensevoice", "Emotion2vec"), ("paraformer", "MonotonicAligner")):
        config = own_models / name / "config.yaml"
        described = {**yaml.safe_load(config.read_text("utf-8")), "model": kind}
        config.write_text(yaml.safe_dump(described), "utf-8")
    problems = {model.name: model.problem for model in funasr.models(settings)}
    assert {name for name, problem in problems.items() if problem is None} == {"seaco", "streaming", "nano"}
    assert "Emotion2vec are not supported" in _reason(problems["sensevoice"])


def test_a_missing_file_is_named(own_models: Path, settings: Settings) -> None:
    (own_models / "sensevoice" / "chn_jpn_yue_eng_ko_spectok.bpe.model").unlink()
    (own_models / "seaco" / "model.pt").unlink()
    problems = {model.name: model.problem for model in funasr.models(settings)}
    assert "spectok.bpe.model is missing" in _reason(problems["sensevoice"])
    assert "model.pt is missing" in _reason(problems["seaco"])


def test_a_truncated_file_is_named_before_loading(own_models: Path, settings: Settings) -> None:
    file = own_models / "sensevoice" / "model.pt"
    file.write_bytes(file.read_bytes()[:-1000])
    model = next(model for model in funasr.models(settings) if model.name == "sensevoice")
    assert "model.pt is damaged" in _reason(model.problem)
    with pytest.raises(UserError, match="MODEL_BROKEN"):
        model.load("cpu")


def _load_error(folder: Path) -> str:
    found = folders.read(folder)
    assert found is not None
    with pytest.raises(UserError) as caught:
        build(found, "cpu")
    return caught.value.notice.worded("en").message


def test_missing_keys_are_an_error_not_a_warning(own_models: Path) -> None:
    from tests.funasr.builder import without

    without(own_models / "sensevoice", "encoder.encoders.0.self_attn.linear_out")
    message = _load_error(own_models / "sensevoice")
    assert "model.pt lacks 2 weights" in message and "encoder.encoders.0.self_attn.linear_out.weight" in message


def test_a_wrong_shape_is_an_error_naming_the_key(own_models: Path) -> None:
    file = own_models / "sensevoice" / "model.pt"
    state = torch.load(file, weights_only=True)
    state["ctc.ctc_lo.bias"] = torch.zeros(7)
    torch.save(state, file)
    assert "ctc.ctc_lo.bias has the shape [7] instead of [120]" in _load_error(own_models / "sensevoice")


def test_a_file_with_code_in_it_is_not_run(own_models: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "was-run",)

    torch.save({"weight": Hostile()}, own_models / "sensevoice" / "model.pt")
    assert "damaged" in _load_error(own_models / "sensevoice")
    assert not (tmp_path / "was-run").exists()


def test_remote_code_and_requirements_in_the_folder_are_ignored(own_models: Path, tmp_path: Path) -> None:
    folder = own_models / "sensevoice"
    (folder / "model.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')", "utf-8")
    (folder / "requirements.txt").write_text("no-such-package", "utf-8")
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    (folder / "config.yaml").write_text(
        yaml.safe_dump({**config, "trust_remote_code": True, "remote_code": "model.py"})
    )
    found = folders.read(folder)
    assert found is not None
    build(found, "cpu")
    assert not (tmp_path / "was-run").exists()


def test_an_unknown_class_is_named(own_models: Path) -> None:
    folder = own_models / "sensevoice"
    (folder / "config.yaml").write_text(
        (folder / "config.yaml").read_text("utf-8").replace("SenseVoiceSmall", "Novelty")
    )
    with pytest.raises(Unreadable) as refused:
        folders.read(folder)
    assert "Novelty are not supported" in refused.value.notice.worded("en").message


def test_files_outside_the_folder_are_not_followed(own_models: Path, settings: Settings) -> None:
    folder = own_models / "sensevoice"
    metas = json.loads((folder / "configuration.json").read_text("utf-8"))
    metas["file_path_metas"]["init_param"] = "../seaco/model.pt"
    (folder / "configuration.json").write_text(json.dumps(metas), "utf-8")
    model = next(model for model in funasr.models(settings) if model.name == "sensevoice")
    assert "../seaco/model.pt is missing" in _reason(model.problem)
    del metas["file_path_metas"]["init_param"]
    (folder / "configuration.json").write_text(json.dumps(metas), "utf-8")
    config = folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + f"init_param: {own_models / 'seaco' / 'model.pt'}\n", "utf-8")
    found = folders.read(folder)
    assert found is not None and found.weights == folder / "model.pt"


def test_a_release_without_the_ctc_head_lacks_word_times_and_nothing_else(own_models: Path, settings: Settings) -> None:
    from tests.funasr.builder import without

    without(own_models / "nano", "ctc")
    recognizer = next(model for model in funasr.models(settings) if model.name == "nano").load("cpu")
    assert not recognizer.capabilities.word_times


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_peaks_near_the_weights(tmp_path: Path, in_child: Callable[..., str]) -> None:
    """FunASR's own loader peaks at three times the weights."""
    from tests.funasr import builder

    (tmp_path / "wide").mkdir()
    builder.sense_voice(tmp_path / "wide", width=256, blocks=40)
    code = (
        "import sys, resource; from pathlib import Path; from webui.engines.funasr import folder, loading;"
        "from webui.engines.funasr.import_guard import load_tables;"
        "load_tables({'SenseVoiceSmall', 'SenseVoiceEncoderSmall', 'SentencepiecesTokenizer', 'WavFrontend'});"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024;"
        "before = peak(); f = folder.read(Path(sys.argv[1])); b = loading.build(f, 'cpu');"
        "sum(float(p.sum()) for p in b.model.parameters());"
        "print((peak() - before) / (f.size_bytes / 2**20))"
    )
    assert float(in_child(code, tmp_path / "wide")) < 1.3


def test_only_what_can_be_exported_is_optimised(own_models: Path, settings: Settings) -> None:
    with pytest.raises(UserError, match="MODEL_NOT_FOUND"):
        funasr.optimise("nobody", settings)
    with pytest.raises(UserError, match="NOT_CAPABLE"):
        funasr.optimise("nano", settings)


def test_a_marked_folder_is_for_the_self_test_only(own_models: Path, settings: Settings) -> None:
    (own_models / "sensevoice" / "shengfang.toml").write_text('purpose = "self-test"\nlanguages = ["zh"]\n', "utf-8")
    found = {model.name: model for model in funasr.models(settings)}
    marked = found["sensevoice"]
    assert (
        not marked.offered
        and marked.notice == Notice("SELF_TEST_ONLY", {"model": "sensevoice"})
        and marked.capabilities.languages == ("zh",)
        and marked.default_rank < 0
    )
    assert found["seaco"].offered and found["seaco"].default_rank > 0
    (own_models / "seaco" / "shengfang.toml").write_text("purpose = [unreadable", "utf-8")
    found = {model.name: model for model in funasr.models(settings)}
    assert "shengfang.toml cannot be read" in _reason(found["seaco"].problem)
