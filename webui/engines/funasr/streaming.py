"""Paraformer-streaming: text while somebody speaks, 600 ms at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.devices import load_torch
from webui.engines.base import Recognition, RecognitionOptions, Waveform
from webui.engines.funasr import transcript
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer

CHUNK = (0, 10, 5)  # frames of 60 ms: looked back at, decoded, looked ahead at
_ENCODER_LOOK_BACK = 4  # chunks
_DECODER_LOOK_BACK = 1  # chunks


class Streaming(FunasrRecognizer):
    """Recognizes segments as any other, and opens sessions that take chunks."""

    def open(self, options: RecognitionOptions) -> StreamingSession:
        """A new utterance. Sessions of one model wait for each other."""
        del options  # Paraformer-streaming knows one language and no hotwords
        return StreamingSession(self)

    def _recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        del options
        return [self._whole(waveform) for waveform in batch]

    def _whole(self, waveform: Waveform) -> Recognition:
        text = transcript.tidy(self.step(waveform.samples, {}, final=True))
        return Recognition(text, text, "zh") if text else EMPTY

    def step(self, samples: NDArray[np.float32], cache: dict[str, Any], final: bool) -> str:
        """What the model says of `samples` after what `cache` holds of those before."""
        built = self.built
        answer, _ = built.model.inference(
            [samples],
            key=["0"],
            tokenizer=built.tokenizer,
            frontend=built.frontend,
            device=built.device,
            cache=cache,
            is_final=final,
            chunk_size=list(CHUNK),
            encoder_chunk_look_back=_ENCODER_LOOK_BACK,
            decoder_chunk_look_back=_DECODER_LOOK_BACK,
            encoder_conf=built.config["encoder_conf"],
            frontend_conf=built.config["frontend_conf"],
        )
        return str(answer[0].get("text", ""))

    def locked_step(self, samples: NDArray[np.float32], cache: dict[str, Any], final: bool) -> str:
        with self._lock, load_torch().inference_mode():
            return self.step(samples, cache, final)


class StreamingSession:
    """One utterance of a live microphone."""

    def __init__(self, recognizer: Streaming) -> None:
        self._recognizer = recognizer
        self._cache: dict[str, Any] = {}
        self._text = ""

    def feed(self, samples: NDArray[np.float32]) -> str:
        """The text so far, after 16 kHz float32 mono `samples` (n,)."""
        return self._add(samples, final=False) if len(samples) else self._text

    def finish(self) -> str:
        """The whole text; the session is over."""
        return self._add(np.zeros(1, np.float32), final=True)

    def _add(self, samples: NDArray[np.float32], final: bool) -> str:
        said = self._recognizer.locked_step(samples, self._cache, final)
        self._text = transcript.tidy(f"{self._text}{_space(self._text, said)}{said}")
        return self._text


def _space(before: str, after: str) -> str:
    return " " if before[-1:].isascii() and after[:1].isascii() else ""
