"""The engine without downloads: English recognition by pocketsphinx, Mandarin and English speech by espeak-ng."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from webui.engines.base import (
    AnyModel,
    RecognizerCapabilities,
    RecognizerModel,
    Synthesizer,
    SynthesizerCapabilities,
    SynthesizerModel,
)
from webui.engines.model_folders import lacking_package, without
from webui.errors import Notice

if TYPE_CHECKING:
    from webui.engines.basic.recognizer import BasicRecognizer
    from webui.engines.basic.synthesizer import BasicSynthesizer
    from webui.settings import Settings

ALGORITHM = "2"  # grows when the vocoder, the conversion or the reading of texts changes what is heard

_RECOGNIZER = RecognizerCapabilities(
    languages=("en",),
    word_times=True,
    unavailable={
        "hotwords": "HOTWORDS_UNSUPPORTED",
        "itn": "ITN_UNSUPPORTED",
        "speakers": "SPEAKERS_UNSUPPORTED",
    },
)
_SYNTHESIZER = SynthesizerCapabilities(
    languages=("zh", "en"),
    pronunciation=True,
    convert=True,
    similarity=True,
    sample_rate=24000,
    unavailable={"instruct": "INSTRUCT_UNSUPPORTED"},
)


def loaded_voice(settings: Settings) -> Synthesizer:
    """The synthesizer, which is always there; the caller closes it."""
    return next(model for model in models(settings) if isinstance(model, SynthesizerModel)).load("cpu")


def models(settings: Settings) -> list[AnyModel]:
    """Both halves of the engine, always present."""
    recognizer_revision = _packages("pocketsphinx")
    synthesizer_revision = f"{ALGORITHM} {_packages('espeakng-loader', 'pypinyin', 'wetext')}"

    def recognizer(_device: str) -> BasicRecognizer:
        from webui.engines.basic.recognizer import BasicRecognizer

        return BasicRecognizer()

    def synthesizer(_device: str) -> BasicSynthesizer:
        from webui.engines.basic.espeak import Espeak
        from webui.engines.basic.synthesizer import BasicSynthesizer

        espeak = Espeak(settings.espeak_library, settings.espeak_data)
        return BasicSynthesizer(synthesizer_revision, espeak)

    hears = RecognizerModel(
        "basic",
        "basic",
        recognizer_revision,
        _RECOGNIZER,
        recognizer,
        dependable=False,
        notice=Notice("BASIC_ENGLISH"),
    )
    lacking = lacking_package("pocketsphinx")
    return [
        without(hears, lacking) if lacking else hears,
        SynthesizerModel("basic", "basic", synthesizer_revision, _SYNTHESIZER, synthesizer, dependable=False),
    ]


def _packages(*names: str) -> str:
    return " ".join(f"{name} {_version(name)}" for name in names)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
