"""Any other FunASR recognizer, through the interface that all of FunASR's models have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webui.engines.base import Recognition, RecognitionOptions, Waveform
from webui.engines.funasr import transcript
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer, by_key


class Generic(FunasrRecognizer):
    """One segment a call; language and ITN are passed on, which models that know neither ignore."""

    def _recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        built = self.built
        return [
            _result(
                by_key(
                    built.model.inference(
                        [waveform.samples],
                        key=["0"],
                        tokenizer=built.tokenizer,
                        frontend=built.frontend,
                        device=built.device,
                        language=options.language,
                        use_itn=options.itn,
                    ),
                    1,
                )[0]
            )
            for waveform in batch
        ]


def _result(found: dict[str, Any]) -> Recognition:
    text, tags = transcript.strip_tags(str(found.get("text", "")))
    if not text:
        return EMPTY
    words = transcript.words_from_times(text, found.get("timestamp") or ())
    return Recognition(text, text, transcript.language_of(tags), words)
