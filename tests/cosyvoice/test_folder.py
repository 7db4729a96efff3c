"""Model folders: recognised by content, and errors that name file and key."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch

from webui.engines import catalog, cosyvoice
from webui.engines.cosyvoice import models
from webui.errors import UserError
from webui.settings import Settings


@pytest.fixture
def folder(cosyvoice_folder, settings):
    """A copy to break, of links to files that stay whole."""
    copy = settings.models / "cosy"
    shutil.copytree(cosyvoice_folder, copy, copy_function=os.link)
    return copy


def replace(path, write):
    path.unlink(missing_ok=True)
    write(path)


def change(path, alter):
    tensors = dict(torch.load(path, weights_only=True))
    alter(tensors)
    replace(path, lambda path: torch.save(tensors, path))


def broken(folder):
    with pytest.raises(UserError, match="MODEL_BROKEN") as caught:
        cosyvoice.load(folder)
    return caught.value.notice.worded("en").message


def test_a_whole_folder_is_a_model(folder, settings):
    (model,) = models(settings)
    assert (model.name, model.engine, model.kind, model.problem) == ("cosy", "cosyvoice", "synthesizer", None)
    assert model.capabilities.convert
    assert model.capabilities.needs_transcript
    assert model.size_bytes > 10_000_000


OTHERS = {  # what Fun-CosyVoice3-0.5B-2512 holds besides, as published
    ".gitattributes": "*.pt filter=lfs",
    "README.md": "# Fun-CosyVoice3",
    "asset/dingding.png": "",
    "config.json": "{}",
    "configuration.json": '{"framework": "pytorch", "task": "text-to-speech"}',
    "cosyvoice3.yaml": "llm: !new:cosyvoice.llm.llm.CosyVoice3LM\n    llm: !new:os.system ['false']\n",
    "flow.decoder.estimator.fp32.onnx": "",
    "speech_tokenizer_v3.batch.onnx": "",
    "CosyVoice-BlankEN/generation_config.json": "{}",
    "CosyVoice-BlankEN/model.safetensors": "",
}


def test_the_official_folder_is_one_model_whatever_lies_beside(folder, settings):
    (folder / "spk2info.pt").unlink()
    os.link(folder / "llm.pt", folder / "llm.rl.pt")
    for name, text in OTHERS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        replace(folder / name, lambda path, text=text: path.write_text(text))
    found = [model for model in catalog.available(settings) if model.name == "cosy"]
    assert [(model.engine, model.problem) for model in found] == [("cosyvoice", None)]
    cosyvoice.load(str(folder), dtype="bfloat16")


def test_the_reinforced_language_model_is_preferred(folder):
    change(folder / "llm.pt", dict.clear)
    os.link(folder / "flow.pt", folder / "llm.rl.pt")
    assert "llm.rl.pt lacks llm." in broken(folder)


def test_the_vocoders_keys_may_have_a_prefix(folder):
    def prefix(tensors):
        whole = {f"generator.{key}": value for key, value in tensors.items()}
        tensors.clear()
        tensors.update(whole)

    change(folder / "hift.pt", prefix)
    cosyvoice.load(folder)


def test_a_folder_elsewhere_is_found_by_model_path(folder, tmp_path):
    assert [model.name for model in models(Settings(models=tmp_path / "none", model_path=folder))] == ["cosy"]


def test_other_models_are_left_to_other_engines(settings):
    (settings.models / "sensevoice").mkdir()
    (settings.models / "sensevoice" / "model.pt").touch()
    assert models(settings) == []


def test_missing_files_are_named(folder, settings):
    (folder / "campplus.onnx").unlink()
    (folder / "llm.pt").unlink()
    (model,) = models(settings)
    assert "llm.pt, campplus.onnx missing" in model.problem.worded("en").message
    with pytest.raises(UserError, match="MODEL_BROKEN"):
        model.load("cpu")


def test_a_cosyvoice2_folder_is_called_that(folder, settings):
    (folder / "cosyvoice3.yaml").rename(folder / "cosyvoice2.yaml")
    (folder / "speech_tokenizer_v3.onnx").rename(folder / "speech_tokenizer_v2.onnx")
    (model,) = models(settings)
    assert "CosyVoice2" in model.problem.worded("en").message
    assert "CosyVoice2" in model.problem.worded("zh").message


def test_the_revision_changes_with_the_weights(folder, settings):
    before = models(settings)[0].revision
    change(folder / "flow.pt", lambda tensors: tensors.update(more=torch.zeros(1000)))
    assert models(settings)[0].revision != before


def test_the_reinforced_language_model_suffices(folder):
    (folder / "llm.pt").rename(folder / "llm.rl.pt")
    cosyvoice.load(folder)


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("llm.pt", "llm_decoder.weight"),
        ("llm.pt", "llm.model.model.layers.1.mlp.up_proj.weight"),
        ("flow.pt", "decoder.estimator.transformer_blocks.0.attn.to_k.bias"),
        ("hift.pt", "resblocks.8.convs2.2.bias"),
        ("hift.pt", "resblocks.0.activations1.0.alpha"),
    ],
)
def test_a_missing_tensor_is_named_with_its_file(folder, file, key):
    change(folder / file, lambda tensors: tensors.pop(key))
    assert f"{file} lacks {key}" in broken(folder)


@pytest.mark.parametrize(
    ("file", "key"), [("llm.pt", "llm.model.model.norm.weight"), ("flow.pt", "decoder.estimator.proj_out.bias")]
)
def test_a_tensor_of_another_shape_is_named_with_its_file(folder, file, key):
    change(folder / file, lambda tensors: tensors.update({key: torch.zeros(7)}))
    message = broken(folder)
    assert f"{key} in {file}" in message
    assert "(7,)" in message


@pytest.mark.parametrize("file", ["llm.pt", "flow.pt", "hift.pt", "campplus.onnx", "CosyVoice-BlankEN/vocab.json"])
def test_a_truncated_file_is_named(folder, file):
    whole = (folder / file).read_bytes()
    replace(folder / file, lambda path: path.write_bytes(whole[: len(whole) // 2]))
    assert file in broken(folder)


def test_a_checkpoint_that_would_run_code_is_refused(folder, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    replace(folder / "flow.pt", lambda path: path.write_bytes(pickle.dumps({"input_embedding.weight": Evil()})))
    assert "flow.pt is damaged" in broken(folder)
    assert not (tmp_path / "ran").exists()


def test_a_broken_configuration_is_named(folder):
    path = folder / "CosyVoice-BlankEN" / "config.json"
    replace(path, lambda path: path.write_text(json.dumps({"num_attention_heads": 4})))
    assert "config.json" in broken(folder)


def test_a_tokenizer_that_numbers_its_marks_otherwise_is_refused(folder):
    path = folder / "CosyVoice-BlankEN" / "vocab.json"
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    del vocabulary[max(vocabulary, key=vocabulary.get)]
    replace(path, lambda path: path.write_text(json.dumps(vocabulary), encoding="utf-8"))
    assert "vocab.json" in broken(folder)


def test_listing_models_imports_no_torch():
    code = "import sys, webui.engines.cosyvoice; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
