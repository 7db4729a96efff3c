"""The one call that API.md promises, to compare with the reference; the product itself uses `Runtime`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from webui.audio.units import Hertz
from webui.engines.base import Samples, Waveform
from webui.engines.cosyvoice import features
from webui.engines.cosyvoice.hift import HARMONICS
from webui.engines.cosyvoice.prompts import MODES, Mode
from webui.engines.cosyvoice.runtime import Request, Runtime, Trace, check_length, checked_wave


class ReferenceRuntime(Runtime):
    """A runtime with the reference's one call for everything."""

    def synthesize(
        self,
        text: Any,
        prompt: Any,
        prompt_rate: Hertz,
        prompt_text: str | None = "",
        *,
        mode: Mode = "zero_shot",
        instruct: str | None = "",
        forced_tokens: Any = None,
        source_noise: Any = None,
        steps: int = 10,
        stream: bool = False,
        seed: int = 0,
        speed: float = 1.0,
        trace: Trace | None = None,
    ) -> Any:
        """`text` in the voice of `prompt` (float32 (n,) at `prompt_rate` Hz): float32 samples (n,) at 24 kHz.

        With `stream`, an iterator of such pieces, each as soon as it can be had. `mode`: "zero_shot" needs
        `prompt_text`, what is said in the prompt; "cross_lingual" needs none; "instruct" follows `instruct`;
        "convert" speaks what is said in `text`: there a recording, an array at the prompt's rate or a Waveform (empty:
        the prompt itself, or `forced_tokens` as the recording's own speech ids). Text, transcript and instruction are
        taken as the reference takes them where they hold <|endofprompt|>; else the system line is put before.
        `forced_tokens`: speech ids taken in place of sampled ones; `source_noise`: uniform (samples, 9) in place of
        the vocoder's own. Arrays may be tensors. `trace` receives intermediate tensors on the CPU; of a stream, when
        its last piece is taken.

        Raises UserError PROMPT_…, TRANSCRIPT_REQUIRED, INSTRUCT_TOO_LONG, NOTHING_TO_SAY.
        """
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is none of {', '.join(MODES)}")
        samples = mono(prompt)
        check_length(samples, prompt_rate)
        heard = self.encoder.features(samples, prompt_rate, trace)
        forced = None if forced_tokens is None else _array(forced_tokens, np.int64).reshape(-1).tolist()
        if mode == "convert":
            voice, request = heard, Request([], [], 0)
            source = Waveform(samples, prompt_rate) if text is None or isinstance(text, str) else text
            tokens = self._source_tokens(source, prompt_rate) if forced is None else iter(forced)
        else:
            voice, request = heard.aligned(), self.request(text, prompt_text or "", mode, instruct or "")
            spoken = voice.tokens.tolist() if mode == "zero_shot" else []
            tokens = self.speech_tokens(request, spoken, len(voice.tokens), seed, forced, trace)
        if trace is not None:
            trace.update(text_ids=_ids(request.text), prompt_text_ids=_ids(request.prompt))
        noise = (
            None if source_noise is None else torch.from_numpy(_array(source_noise, np.float32).reshape(-1, HARMONICS))
        )
        pieces = self.speak(tokens, voice, steps=steps, stream=stream, speed=speed, noise=noise, trace=trace)
        return pieces if stream else next(iter(pieces))

    def _source_tokens(self, source: Any, rate: Hertz) -> Iterator[int]:
        """The tokens of a recording to be converted: a Waveform, or an array at `rate` Hz."""
        if isinstance(source, Waveform):
            source, rate = source.samples, source.rate
        wave = features.resample(checked_wave(mono(source), rate), rate, 16000)
        return iter(self.encoder.speech_tokens(wave).tolist())


def mono(recording: Any) -> Samples:
    """float32 (n,) of an array or tensor; of several channels, along the shorter axis, the mean."""
    samples = _array(recording, np.float32)
    return samples if samples.ndim == 1 else samples.mean(int(np.argmin(samples.shape)))


def _array(values: Any, kind: type) -> np.ndarray:
    """`values` (array, tensor on any device, or list) as an array of `kind`."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.ascontiguousarray(values, kind)


def _ids(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.int64)
