"""Which speech detector plans the recordings: Silero, or FSMN-VAD where the configuration says so."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from webui.audio.vad import Span, SpeechDetector
from webui.errors import UserError
from webui.settings import Settings


class DetectorSession(Protocol):
    """One recording: blocks of 16 kHz mono in, spans that are complete out."""

    def feed(self, block: NDArray[np.int16] | NDArray[np.float32]) -> list[Span]: ...

    def finish(self) -> list[Span]: ...


class Detector(Protocol):
    def session(self) -> DetectorSession:
        """A new recording. Raises UserError where the model cannot be had."""
        ...


def detector_for(settings: Settings) -> Detector:
    """The detector of the setting `vad`; its model is loaded when first used."""
    return _Fsmn(settings) if settings.vad == "fsmn" else SpeechDetector()


class _Fsmn:
    """FSMN-VAD of the folder that `models/` holds. Loads torch."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: Any = None

    def session(self) -> DetectorSession:
        from webui.engines.funasr.folder import helper

        with self._lock:
            if self._loaded is None:
                folder = helper("vad", self._settings.models)
                if folder is None:
                    raise UserError("MODEL_NOT_FOUND", model="fsmn-vad", available="")
                from webui.engines.funasr.vad import FsmnDetector

                self._loaded = FsmnDetector(folder)
            session: DetectorSession = self._loaded.session()
            return session
