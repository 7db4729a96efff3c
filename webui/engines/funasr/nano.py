"""Fun-ASR-Nano: an audio encoder in front of a language model that writes the transcript, punctuation included.

Releases with a CTC head give word times. FunASR aligns them with torchaudio, which cannot be installed beside a CPU
torch, and then one segment at a time only: here the head is taken off the model and the alignment is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webui.devices import load_torch
from webui.engines.base import Capabilities, Recognition, RecognitionOptions, Waveform, Word
from webui.engines.funasr import transcript
from webui.engines.funasr.families import NANO_LANGUAGES
from webui.engines.funasr.loading import Built
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer, by_key

MOST_HOTWORDS = 100  # more hurt, and are heard into silence
_NEW_TOKENS = 512
_FRAME = 0.06  # seconds


@dataclass(frozen=True)
class CtcHead:
    """What gives times: a decoder, an output layer and a tokenizer of its own."""

    decoder: Any
    output: Any
    tokenizer: Any
    blank: int


class Nano(FunasrRecognizer):
    """Language "auto" is no language for this model: it gets none then."""

    takes_hotwords = True

    def __init__(self, built: Built, capabilities: Capabilities) -> None:
        super().__init__(built, capabilities)
        head = _take_head(built.model)
        self._head = head if capabilities.word_times else None
        self._encoded: list[tuple[Any, Any]] = []
        encode = built.model.encode

        def remembered(*arguments: Any, **options: Any) -> Any:
            self._encoded.append(encode(*arguments, **options))
            return self._encoded[-1]

        built.model.encode = remembered

    def close(self) -> None:
        super().close()
        self._head, self._encoded = None, []

    def _recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        built, torch = self.built, load_torch()
        self._encoded.clear()
        answer = built.model.inference(
            [torch.from_numpy(waveform.samples) for waveform in batch],
            key=[str(index) for index in range(len(batch))],
            tokenizer=built.tokenizer,
            frontend=built.frontend,
            device=built.device,
            hotwords=list(options.hotwords[:MOST_HOTWORDS]),
            language=NANO_LANGUAGES.get(options.language),
            itn=options.itn,
            llm_dtype="fp32" if built.device == "cpu" else "bf16",
            max_length=_NEW_TOKENS,
            llm_kwargs={"do_sample": False},
            dataset_conf=built.config.get("dataset_conf") or {},
        )
        language = options.language if options.language in NANO_LANGUAGES else None
        texts = [transcript.strip_tags(str(found.get("text", "")))[0] for found in by_key(answer, len(batch))]
        return [
            Recognition(text, text, language, self._words(text, *encoded)) if text else EMPTY
            for text, encoded in zip(texts, self._encoded, strict=True)
        ]

    def _words(self, text: str, hidden: Any, lengths: Any) -> tuple[Word, ...]:
        head = self._head
        if head is None:
            return ()
        decoded, counts = head.decoder(hidden, lengths)
        scores = head.output.log_softmax(decoded)[0, : int(counts[0])].float().cpu().numpy()
        ids = list(head.tokenizer.encode(text))
        spans = transcript.align(scores, ids, head.blank)
        return transcript.words_from_pieces(
            [
                (
                    _as_piece(str(head.tokenizer.decode([token]))),
                    start * _FRAME,
                    end * _FRAME,
                    float(scores[start:end, token].mean()),
                )
                for token, (start, end) in zip(ids, spans, strict=False)
            ]
        )


def _take_head(model: Any) -> CtcHead | None:
    if model.ctc_decoder is None:
        return None
    head = CtcHead(model.ctc_decoder, model.ctc, model.ctc_tokenizer, model.blank_id)
    model.ctc_decoder = None  # FunASR then batches, and does not ask for torchaudio
    return head


def _as_piece(text: str) -> str:
    """A space before a token opens a word, as SentencePiece marks it."""
    return "▁" + text.strip() if text[:1].isspace() else text
