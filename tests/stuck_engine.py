"""A plug-in whose model never comes back from the recordings that it is told to hang on (hotword `hang`)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import fake_engine
from webui.engines.base import (
    AnyModel,
    Recognition,
    RecognitionOptions,
    RecognizerCapabilities,
    RecognizerModel,
    Waveform,
)
from webui.settings import Settings

HEARS = RecognizerCapabilities(languages=("zh",), hotwords=True)


class Stuck(fake_engine.FakeRecognizer):
    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        if "hang" in options.hotwords and max(waveform.seconds for waveform in batch) < 1.5:
            threading.Event().wait()
        return super().recognize(batch, replace(options, hotwords=()))


def models(_settings: Settings) -> list[AnyModel]:
    return [RecognizerModel("stuck", "stuck", "1", HEARS, Stuck, default_rank=99)]
