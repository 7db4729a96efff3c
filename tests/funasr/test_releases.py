"""Folders laid out, configured and saved as the releases are: recognised, loaded, and computed as stock FunASR does."""

from __future__ import annotations

import json
import marshal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.funasr import builder
from webui.engines import catalog, funasr
from webui.engines.base import PunctuatorModel, RecognitionOptions, Waveform
from webui.engines.funasr import folder as folders
from webui.engines.funasr.loading import build
from webui.engines.funasr.punctuation import Punctuator
from webui.engines.funasr.speakers import SpeakerEmbedder
from webui.settings import Settings

SPOKEN = "丁七万世丘丙丈三上hello丑专且丕"

_STOCK = """
import contextlib, io, json, sys
import numpy as np, torch
sys.modules['torchaudio'] = None
samples = torch.from_numpy(np.load(sys.argv[2]))
found = {}
with contextlib.redirect_stdout(io.StringIO()):
    from funasr import AutoModel
    def asked(name, given, **options):
        still = {} if 'punc' in name else {'frontend_conf': {'dither': 0.0}}
        model = AutoModel(model=f'{sys.argv[1]}/{name}', device='cpu', disable_update=True, ncpu=1,
                          disable_pbar=True, log_level='ERROR', **still)
        return model.generate(input=given, **options)[0]
    found['contextual'] = asked('contextual', samples.numpy(), hotword='丁七万')['text']
    bicif = asked('bicif', samples.numpy())
    found['bicif'], found['times'] = bicif['text'], bicif['timestamp']
    found['nano-hf'] = asked('nano-hf', [samples], max_length=8, llm_kwargs={'do_sample': False},
                             hotwords=['张三'], language='中文')['text']
    found['campplus'] = asked('campplus', samples.numpy())['spk_embedding'][0].tolist()
    for name in ('ct-punc', 'ct-punc-large'):
        found[name] = asked(name, sys.argv[3])['text']
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("releases")
    for name, make, options in (
        ("contextual", builder.paraformer, {"contextual": False, "plain_class": "ContextualParaformer"}),
        ("bicif", builder.paraformer, {"contextual": False, "plain_class": "BiCifParaformer"}),
        ("nano-hf", builder.nano, {"with_ctc": False}),
        ("campplus", builder.campplus, {}),
        ("ct-punc", builder.punctuation, {}),
        ("ct-punc-large", builder.punctuation, {"words": ("丁七万", "世丘丙")}),
    ):
        (root / name).mkdir()
        make(root / name, **options)
    return root


@pytest.fixture(scope="module")
def sound(speech: Callable[[float], Waveform]) -> Waveform:
    return speech(3)


@pytest.fixture(scope="module")
def stock(
    releases: Path, sound: Waveform, tmp_path_factory: pytest.TempPathFactory, in_child: Callable[..., str]
) -> dict[str, Any]:
    """What FunASR's own interface makes of the folders."""
    file = tmp_path_factory.mktemp("sound") / "sound.npy"
    np.save(file, sound.samples)
    found: dict[str, Any] = json.loads(in_child(_STOCK, releases, file, SPOKEN, timeout=600).splitlines()[-1])
    return found


def _loaded(releases: Path, settings: Settings, name: str) -> Any:
    models = {model.name: model for model in funasr.models(Settings(data=settings.data, models=releases))}
    assert models[name].problem is None
    return models[name].load("cpu")


def test_contextual_paraformer_hears_hotwords_as_stock_does_and_gives_no_times(
    releases: Path, settings: Settings, sound: Waveform, stock: dict[str, Any]
) -> None:
    recognizer = _loaded(releases, settings, "contextual")
    found = recognizer.recognize([sound], RecognitionOptions(hotwords=("丁七万",)))[0]
    assert found.text_raw == stock["contextual"].replace(" ", "")
    assert recognizer.built.model.hotword_list == [[4, 6, 10], [1]]
    assert not recognizer.capabilities.word_times and found.words == ()


def test_bicif_paraformer_gives_the_times_of_stock(
    releases: Path, settings: Settings, sound: Waveform, stock: dict[str, Any]
) -> None:
    found = _loaded(releases, settings, "bicif").recognize([sound], RecognitionOptions())[0]
    assert found.text_raw == stock["bicif"].replace(" ", "")
    assert [[word.start, word.end] for word in found.words] == [[a / 1000, b / 1000] for a, b in stock["times"]]


def test_nano_without_its_head_says_what_stock_says(
    releases: Path, settings: Settings, sound: Waveform, stock: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.engines.funasr.nano._NEW_TOKENS", 8)
    recognizer = _loaded(releases, settings, "nano-hf")
    options = RecognitionOptions("zh", ("张三",))
    (found,) = recognizer.recognize([sound], options)
    assert found.text == stock["nano-hf"] != "" and found.words == ()
    assert recognizer.recognize([sound, Waveform(sound.samples[:20_000], 16_000)], options)[0].text == found.text


def test_speaker_embeddings_are_those_of_stock(releases: Path, sound: Waveform, stock: dict[str, Any]) -> None:
    folder = folders.read(releases / "campplus")
    assert folder is not None and folder.weights.name == "campplus_cn_common.bin"
    wanted = np.array(stock["campplus"])
    found = SpeakerEmbedder(folder).embed(sound)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-4)


@pytest.mark.parametrize("name", ["ct-punc", "ct-punc-large"])
def test_punctuation_is_that_of_stock_with_the_marks_of_chinese(
    releases: Path, tmp_path: Path, stock: dict[str, Any], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = folders.read(releases / name)
    assert folder is not None
    found = Punctuator(folder, tmp_path).punctuate(SPOKEN)
    narrow = found.replace("，", ",").replace("？", "?").replace(" ", "").rstrip(",。?").lower()
    assert narrow == stock[name].replace(" ", "").rstrip(",。?").lower()
    assert any(mark in found for mark in "，。？、") and "?" not in found
    assert capfd.readouterr() == ("", "")


def test_punctuation_fetches_nothing(releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders.read(releases / "ct-punc")
    assert folder is not None
    monkeypatch.setattr("funasr.utils.load_utils.download_from_url", lambda url: pytest.fail(url))
    assert Punctuator(folder, tmp_path).punctuate("http://127.0.0.1/丁") == "http://127.0.0.1/丁"


def test_the_dictionary_is_kept_where_nobody_else_can_write(
    releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jieba

    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "jieba.cache").write_bytes(marshal.dumps(({"毒": 1}, 1)))
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    for name, value in {"initialized": False, "tmp_dir": None, "FREQ": {}, "total": 0}.items():
        monkeypatch.setattr(jieba.dt, name, value)
    folder = folders.read(releases / "ct-punc-large")
    assert folder is not None
    Punctuator(folder, tmp_path / "ours").punctuate(SPOKEN)
    assert len(jieba.dt.FREQ) > 100_000
    assert [path.name for path in shared.iterdir()] == ["jieba.cache"]
    assert (tmp_path / "ours" / "jieba" / "jieba.cache").stat().st_size > 10**6


@pytest.mark.parametrize(
    ("wrapper", "prefix", "legacy"),
    [("state_dict", "", False), ("model_state_dict", "module.", False), ("model", "", True), ("", "module.", True)],
)
def test_checkpoints_load_in_every_form_they_are_saved_in(
    releases: Path, tmp_path: Path, wrapper: str, prefix: str, legacy: bool
) -> None:
    plain = folders.read(releases / "bicif")
    (tmp_path / "other").mkdir()
    builder.paraformer(tmp_path / "other", contextual=False, plain_class="BiCifParaformer")
    builder.saved_as(tmp_path / "other" / "model.pt", wrapper, prefix, legacy)
    other = folders.read(tmp_path / "other")
    assert plain is not None and other is not None and other.problem is None
    wanted, found = build(plain, "cpu").model.state_dict(), build(other, "cpu").model.state_dict()
    assert wanted.keys() == found.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_an_output_layer_that_is_the_embedding_need_not_be_saved_twice(
    releases: Path, settings: Settings, sound: Waveform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.engines.funasr.nano._NEW_TOKENS", 8)
    (tmp_path / "nano-hf").mkdir()
    builder.nano(tmp_path / "nano-hf", with_ctc=False)
    builder.without(tmp_path / "nano-hf", "llm.lm_head")
    whole, tied = (_loaded(root, settings, "nano-hf") for root in (releases, tmp_path))
    options = RecognitionOptions("zh")
    assert tied.recognize([sound], options) == whole.recognize([sound], options)


def test_counters_of_a_training_may_be_missing(releases: Path, tmp_path: Path) -> None:
    (tmp_path / "campplus").mkdir()
    builder.campplus(tmp_path / "campplus")
    file = tmp_path / "campplus" / "campplus_cn_common.bin"
    state = torch.load(file, weights_only=True)
    torch.save({key: value for key, value in state.items() if "num_batches" not in key}, file)
    folder = folders.read(tmp_path / "campplus")
    assert folder is not None and build(folder, "cpu").lacking == ()


def test_the_multilingual_nano_is_known_by_its_name_or_its_marker(releases: Path, tmp_path: Path) -> None:
    for name in ("Fun-ASR-MLT-Nano-2512", "nano", "marked"):
        (tmp_path / name).symlink_to(releases / "nano-hf")
    (tmp_path / "marked").unlink()
    (tmp_path / "marked").mkdir()
    for file in (releases / "nano-hf").iterdir():
        (tmp_path / "marked" / file.name).symlink_to(file)
    (tmp_path / "marked" / "shengfang.toml").write_text('languages = ["ko", "vi"]\n', "utf-8")
    languages = {model.name: model.capabilities.languages for model in funasr.models(Settings(models=tmp_path))}
    assert len(languages["Fun-ASR-MLT-Nano-2512"]) == 31 and languages["nano"] == ("zh", "en", "ja")
    assert languages["marked"] == ("ko", "vi")


def test_the_better_of_two_helpers_is_taken(releases: Path, tmp_path: Path) -> None:
    for name, kind in (("a-streaming", "CTTransformerStreaming"), ("b-offline", "CTTransformer")):
        (tmp_path / name).mkdir()
        for file in (releases / "ct-punc").iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
        config = (tmp_path / name / "config.yaml").read_text("utf-8").replace("CTTransformer", kind)
        (tmp_path / name / "config.yaml").write_text(config, "utf-8")
    found = catalog.best(funasr.models(Settings(models=tmp_path)), PunctuatorModel)
    assert found is not None and found.name == "b-offline"


def test_words_of_byte_tokens_are_whole_characters(tmp_path: Path) -> None:
    from funasr.models.sense_voice.whisper_lib.tokenizer import get_tokenizer

    from webui.engines.funasr.nano import _characters

    builder._write_tiktoken(tmp_path / "multilingual.tiktoken")
    tokenizer = get_tokenizer(multilingual=True, num_languages=8749, vocab_path=str(tmp_path / "multilingual.tiktoken"))
    ids = tokenizer.encode("我 hi，你好😀")
    found = list(_characters(tokenizer, ids))
    assert [text for text, _, _ in found] == ["我", " h", "i", "，", "你", "好", "😀"]
    assert [last for _, _, last in found] == [first for _, first, _ in found[1:]] + [len(ids)]
    assert [text for text, _, _ in _characters(tokenizer, ids[:2])] == ["\ufffd"]
