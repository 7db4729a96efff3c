"""What follows a recognition: the same for every model, as far as it does not do it itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from webui.engines.base import (
    AnyModel,
    Capabilities,
    EmbedderModel,
    PunctuatorModel,
    Recognition,
    RecognitionOptions,
    RecognizerCapabilities,
    RecognizerModel,
    Word,
)
from webui.hosting.host import ModelHost
from webui.jobs.post_processing import JobCapabilities, PostProcessor
from webui.settings import Settings

HEARD = Recognition(
    "找章小名付二十元", "找章小名付二十元", "zh", tuple(Word(c, i, i + 1) for i, c in enumerate("找章小名付二十元"))
)
WANTED = RecognitionOptions("auto", ("张晓明",))


class Stops:
    def punctuate(self, text: str) -> str:
        return f"{text}。"

    def close(self) -> None: ...


def nothing(_device: str) -> Any:
    raise AssertionError("loaded by nobody")


STOPS = PunctuatorModel("stops", "test", "1", Capabilities(("zh", "en")), lambda _device: Stops())


@pytest.fixture
def processed(settings: Settings) -> Callable[..., Recognition]:
    host = ModelHost(settings)

    def process(
        found: Recognition = HEARD,
        options: RecognitionOptions = WANTED,
        present: tuple[AnyModel, ...] = (),
        **own: bool,
    ) -> Recognition:
        model = RecognizerModel("whisper", "test", "1", RecognizerCapabilities(**own), nothing)
        context: Any = SimpleNamespace(host=host, models=lambda: [model, *present])
        return PostProcessor(context, model, options).process([found])[0]

    return process


def test_a_model_that_does_nothing_itself_gets_every_step(processed: Callable[..., Recognition]) -> None:
    found = processed(present=(STOPS,))
    assert (found.text, found.text_raw) == ("找张晓明付20元。", HEARD.text_raw)
    assert [word.text for word in found.words] == ["找", "张", "晓", "明", "付", "20", "元"]
    assert (found.words[5].start, found.words[5].end) == (5, 7)


@pytest.mark.parametrize(
    ("own", "text"),
    [("punctuation", "找张晓明付20元"), ("hotwords", "找章小名付20元。"), ("itn", "找张晓明付二十元。")],
)
def test_what_the_model_does_itself_is_left_alone(processed: Callable[..., Recognition], own: str, text: str) -> None:
    assert processed(present=(STOPS,), **{own: True}).text == text


def test_what_has_marks_gets_no_more_of_them(processed: Callable[..., Recognition]) -> None:
    marked = replace(HEARD, text="好，走吧")
    assert processed(marked, present=(STOPS,)).text == "好，走吧"


def test_only_languages_that_the_rules_know_are_touched(processed: Callable[..., Recognition]) -> None:
    japanese = replace(HEARD, text="二十円", language="ja")
    assert processed(japanese, present=(STOPS,)).text == "二十円"
    assert processed(replace(HEARD, text="二十元", language="zh-CN")).text == "20元"
    assert processed(replace(HEARD, text="二十元", language=None)).text == "20元"


@pytest.mark.parametrize(
    ("language", "asked", "corrected"),
    [("zh", "auto", True), ("yue", "auto", True), ("ja", "auto", False), (None, "en", False), (None, "zh-CN", True)],
)
def test_hotwords_are_corrected_by_the_language_of_the_segment_not_of_the_model(
    processed: Callable[..., Recognition], language: str | None, asked: str, corrected: bool
) -> None:
    found = processed(replace(HEARD, language=language), RecognitionOptions(asked, ("张晓明",), itn=False))
    assert (found.text == "找张晓明付二十元") is corrected


def test_capabilities_count_what_the_job_does() -> None:
    lacking = {"speakers": "SPEAKERS_UNSUPPORTED", "hotwords": "HOTWORDS_UNSUPPORTED", "itn": "ITN_UNSUPPORTED"}
    chinese = RecognizerCapabilities(languages=("zh",), unavailable=lacking)
    embedder = EmbedderModel("campplus", "test", "1", Capabilities(), nothing)
    alone, beside = JobCapabilities.of(chinese, ()), JobCapabilities.of(chinese, [embedder])
    assert (alone.hotwords, alone.speakers, set(alone.unavailable)) == (True, False, {"speakers", "itn"})
    assert (beside.speakers, set(beside.unavailable)) == (True, {"itn"})
    english = JobCapabilities.of(replace(chinese, languages=("en",)), ())
    assert not english.hotwords and "hotwords" in english.unavailable
