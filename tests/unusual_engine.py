"""A plug-in whose model knows languages that no page of ours names: Swahili and Icelandic."""

from __future__ import annotations

from benchmarks import fake_engine
from webui.engines.base import AnyModel, RecognizerCapabilities, RecognizerModel
from webui.settings import Settings

HEARS = RecognizerCapabilities(languages=("sw", "is"), hotwords=True)


def models(_settings: Settings) -> list[AnyModel]:
    return [RecognizerModel("unusual", "unusual", "1", HEARS, fake_engine.FakeRecognizer)]
