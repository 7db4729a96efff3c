"""Every engine that comes with the program, and the fake one, through the one contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fake_engine
from tests.cosyvoice.conftest import build
from tests.engine_contract import RATE, keeps_to_the_contract
from tests.funasr import builder
from tests.speech_kit import speech
from webui.engines import basic, cosyvoice, funasr
from webui.engines.base import AnyModel, RecognizerCapabilities, RecognizerModel
from webui.settings import Settings

FUNASR = {
    "sensevoice": lambda folder: builder.sense_voice(folder),
    "seaco": lambda folder: builder.paraformer(folder),
    "paraformer": lambda folder: builder.paraformer(folder, contextual=False),
    "streaming": lambda folder: builder.paraformer(folder, contextual=False, streaming=True),
    "nano": lambda folder: builder.nano(folder),
}


@pytest.mark.parametrize("model", fake_engine.models(Settings()), ids=lambda model: model.kind)
def test_the_fake_engine_keeps_to_the_contract(model: AnyModel) -> None:
    keeps_to_the_contract(model, speech(4, RATE))


@pytest.mark.parametrize("model", basic.models(Settings()), ids=lambda model: model.kind)
def test_the_basic_engine_keeps_to_the_contract(model: AnyModel) -> None:
    keeps_to_the_contract(model, speech(4, RATE))


@pytest.mark.parametrize("name", FUNASR)
def test_funasr_models_keep_to_the_contract(name: str, settings: Settings) -> None:
    (settings.models / name).mkdir(parents=True)
    FUNASR[name](settings.models / name)
    (model,) = funasr.models(settings)
    keeps_to_the_contract(model, speech(4, RATE))


def test_cosyvoice_keeps_to_the_contract(settings: Settings) -> None:
    build(settings.models / "tiny")
    (model,) = cosyvoice.models(settings)
    keeps_to_the_contract(model, speech(4, RATE))


def test_an_engine_that_loses_a_result_does_not_keep_to_it(tmp_path: Path) -> None:
    class Loses(fake_engine.FakeRecognizer):
        def recognize(self, batch, options):
            return super().recognize(batch, options)[1:]

    model = RecognizerModel("loses", "test", "1", RecognizerCapabilities(("zh", "en"), word_times=True), Loses)
    with pytest.raises(Exception, match="results for"):
        keeps_to_the_contract(model, speech(4, RATE))
