"""Segments are prepared in other threads while the model computes: in order, one batch ahead, nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from webui.engines import funasr
from webui.engines.base import EngineError, RecognitionOptions, Waveform
from webui.engines.funasr import features, sensevoice
from webui.engines.funasr.lookahead import prepared
from webui.engines.funasr.recognizer import FunasrRecognizer
from webui.settings import Settings

GROUPS = [[1], [2, 3], [4]]
SPOKEN = RecognitionOptions(itn=False)


def at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prepare")]


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_every_item_is_prepared_in_its_place(threads: int) -> None:
    assert list(prepared(GROUPS, lambda item: item * item, threads)) == [[1], [4, 9], [16]]
    assert list(prepared([], str, threads)) == []
    assert at_work() == []


def test_one_group_is_under_way_while_the_caller_has_another_and_no_more() -> None:
    begun: list[int] = []
    second = threading.Event()

    def prepare(item: int) -> int:
        begun.append(item)
        if item == 3:
            second.set()
        return item

    with closing(prepared(GROUPS, prepare, threads=1)) as ready:
        assert next(ready) == [1]
        assert second.wait(10)
        assert begun == [1, 2, 3]
        assert next(ready) == [2, 3]
    assert at_work() == []


def test_what_fails_ahead_is_raised_in_its_turn() -> None:
    def prepare(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    ready = prepared(GROUPS, prepare, threads=2)
    assert next(ready) == [1]
    with pytest.raises(ValueError, match="three"):
        next(ready)
    assert at_work() == []


@pytest.fixture
def recognizer(
    model_folders: Path, settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A model that works as it does on an accelerator: in batches, with threads that prepare them."""
    models = {model.name: model for model in funasr.models(Settings(data=settings.data, models=model_folders))}
    monkeypatch.setattr(FunasrRecognizer, "threads_ahead", 2)
    monkeypatch.setattr(FunasrRecognizer, "batch_seconds", 8.0)
    return models[request.param].load("cpu")


@pytest.mark.parametrize("recognizer", ["sensevoice", "paraformer", "seaco"], indirect=True)
def test_what_is_prepared_ahead_is_heard_as_without(
    recognizer: Any, speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = [speech(seconds) for seconds in (1.5, 1.4, 3, 2.5, 1.4, 2.9)]
    ahead = recognizer.recognize(segments, SPOKEN)
    monkeypatch.setattr(FunasrRecognizer, "threads_ahead", 0)
    assert recognizer.recognize(segments, SPOKEN) == ahead
    assert any(result.text for result in ahead) and at_work() == []


@pytest.mark.parametrize("recognizer", ["sensevoice"], indirect=True)
def test_an_error_in_the_features_ends_the_call_and_not_the_recognizer(
    recognizer: Any, speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(waveform: Waveform, settings: features.FeatureSettings) -> Any:
        raise ValueError("no features")

    batch = [speech(1), speech(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sensevoice.features, "featured", broken)
        with pytest.raises(EngineError, match="no features"):
            recognizer.recognize(batch, SPOKEN)
    assert at_work() == []
    assert len(recognizer.recognize(batch, SPOKEN)) == 2
