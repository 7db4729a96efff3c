"""FSMN-VAD, FunASR's own speech detector, as an alternative to Silero."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.audio.samples import to_float32
from webui.audio.units import Milliseconds, Seconds
from webui.audio.vad import Span
from webui.devices import load_torch
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.loading import Built, LoadedModel, build

END_SILENCE_MS = 800  # without it FunASR uses a schedule that joins a minute of speech and then cuts it to shards
_BLOCK_MS = 60_000  # audio examined at a time, which bounds the memory


class FsmnDetector(LoadedModel):
    """One session is fed at a time; open sessions keep the model until they end."""

    def __init__(self, folder: Folder, device: str = "cpu", max_segment: Seconds = 20.0) -> None:
        built = build(folder, device)
        # Only the constructor's value counts: given with a call it is ignored.
        built.model.vad_opts.max_single_segment_time = int(max_segment * 1000)
        super().__init__(built)

    def session(self, end_silence_ms: Milliseconds = END_SILENCE_MS) -> FsmnSession:
        """A new recording."""
        return FsmnSession(self.built, self._lock, end_silence_ms)


class FsmnSession:
    """One recording: feed it blocks, get the spans that are complete. All options go with every call."""

    def __init__(self, built: Built, lock: threading.Lock, end_silence_ms: Milliseconds) -> None:
        self._built = built
        self._lock = lock
        self._end_silence_ms = end_silence_ms
        self._cache: dict[str, Any] = {}
        self._heard = False

    def feed(self, block: NDArray[np.int16] | NDArray[np.float32]) -> list[Span]:
        """`block`: 16 kHz mono, int16 or float32, shape (n,) or (n, 1), of any length."""
        samples = to_float32(block.reshape(-1))
        self._heard = self._heard or len(samples) > 0
        return self._detect(samples, final=False) if len(samples) else []

    def finish(self) -> list[Span]:
        """The spans still open at the end of the recording."""
        return self._detect(np.zeros(0, np.float32), final=True) if self._heard else []

    def _detect(self, samples: NDArray[np.float32], final: bool) -> list[Span]:
        # FunASR answers an empty block without looking at what it still holds: one sample more is no speech.
        samples = samples if len(samples) else np.zeros(1, np.float32)
        with self._lock, load_torch().inference_mode():
            answer, _ = self._built.model.inference(
                [samples],
                key=["0"],
                frontend=self._built.frontend,
                device=self._built.device,
                cache=self._cache,
                chunk_size=_BLOCK_MS,
                is_streaming_input=False,
                is_final=final,
                max_end_silence_time=self._end_silence_ms,
                dynamic_silence=False,
            )
        return [Span(start / 1000, end / 1000) for start, end in answer[0]["value"]]
