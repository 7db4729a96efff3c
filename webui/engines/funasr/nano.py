"""Fun-ASR-Nano: an audio encoder in front of a language model that writes the transcript, punctuation included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webui.devices import load_torch
from webui.engines.base import Recognition, RecognitionOptions, Waveform, Word
from webui.engines.funasr import transcript
from webui.engines.funasr.families import NANO_LANGUAGES
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer, by_key

MOST_HOTWORDS = 100  # more hurt, and are heard into silence
_NEW_TOKENS = 512


class Nano(FunasrRecognizer):
    """Batches only where the release has no CTC head, as FunASR does; with it, one segment at a time, with times."""

    @property
    def batch_seconds(self) -> float:
        return 0 if self.built.model.ctc_decoder is not None else super().batch_seconds

    def _recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        built, torch = self.built, load_torch()
        answer = built.model.inference(
            [torch.from_numpy(waveform.samples) for waveform in batch],
            key=[str(index) for index in range(len(batch))],
            tokenizer=built.tokenizer,
            frontend=built.frontend,
            device=built.device,
            hotwords=list(options.hotwords[:MOST_HOTWORDS]),
            language=NANO_LANGUAGES.get(options.language),  # "auto" would be set into the prompt as a language
            itn=options.itn,
            llm_dtype="fp32" if built.device == "cpu" else "bf16",
            max_length=_NEW_TOKENS,
            llm_kwargs={"do_sample": False},
        )
        language = options.language if options.language in NANO_LANGUAGES else None
        return [_result(found, language) for found in by_key(answer, len(batch))]


def _result(found: dict[str, Any], language: str | None) -> Recognition:
    text, _ = transcript.strip_tags(str(found.get("text", "")))
    if not text:
        return EMPTY
    return Recognition(text, text, language, _words(found.get("timestamps") or ()))


def _words(timestamps: Sequence[dict[str, Any]]) -> tuple[Word, ...]:
    return tuple(
        Word(stamp["token"].strip(), float(stamp["start_time"]), float(stamp["end_time"]), stamp.get("score"))
        for stamp in timestamps
        if transcript.words_of(stamp["token"])
    )
