"""Which speech detector plans the recordings: Silero, or one that an engine lists where the configuration says so."""

from __future__ import annotations

import threading
from collections.abc import Callable

from webui.audio import vad
from webui.engines import catalog
from webui.engines.base import AnyModel, DetectorModel, DetectorSession, SpeechDetector
from webui.errors import UserError
from webui.settings import Settings


def detector_for(settings: Settings, models: Callable[[], list[AnyModel]]) -> SpeechDetector:
    """The detector of the setting `vad`; its model is loaded when first used."""
    return _Listed(models) if settings.vad == "fsmn" else vad.SpeechDetector()


class _Listed:
    """The best detector that an engine lists."""

    def __init__(self, models: Callable[[], list[AnyModel]]) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._loaded: SpeechDetector | None = None

    def session(self) -> DetectorSession:
        """A new recording. Raises UserError where the model cannot be had."""
        with self._lock:
            if self._loaded is None:
                model = catalog.best(self._models(), DetectorModel)
                if model is None:
                    raise UserError("MODEL_NOT_FOUND", model="fsmn-vad", available="")
                self._loaded = model.load("cpu")
            return self._loaded.session()

    def close(self) -> None:
        with self._lock:
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.close()
