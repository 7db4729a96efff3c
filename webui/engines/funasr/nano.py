"""Fun-ASR-Nano: an audio encoder in front of a language model that writes the transcript, punctuation included.

Releases with a CTC head give word times. FunASR aligns them with torchaudio, which cannot be installed beside a CPU
torch, and then one segment at a time only: here the head is taken off the model and the alignment is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from webui.devices import load_torch
from webui.devices.precision import half_dtype
from webui.engines.base import Recognition, RecognitionOptions, RecognizerCapabilities, Waveform, Word
from webui.engines.funasr import transcript
from webui.engines.funasr.families import NANO_LANGUAGES
from webui.engines.funasr.loading import Built
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer, by_key

MOST_HOTWORDS = 100  # more hurt, and are heard into silence
_NEW_TOKENS = 512
_FRAME = 0.06  # seconds
_BYTES = 4  # of a character at most
_BROKEN = "\ufffd"  # what decodes to it is a part of a character
_EDGES = "，。！？、；：“”（）,.!?;:"


@dataclass(frozen=True)
class CtcHead:
    """What gives times: a decoder, an output layer and a tokenizer of its own."""

    decoder: Any
    output: Any
    tokenizer: Any
    blank: int


class Nano(FunasrRecognizer):
    """Language "auto" is no language for this model: it gets none then."""

    def __init__(self, built: Built, capabilities: RecognizerCapabilities) -> None:
        super().__init__(built, capabilities)
        head = _take_head(built.model)
        self._head = head if capabilities.word_times else None
        self._encoded: list[tuple[Any, Any]] = []
        if self._head is not None:
            self._remember(built.model)

    def close(self) -> None:
        super().close()
        self._head, self._encoded = None, []

    def _remember(self, model: Any) -> None:
        """Keep what the encoder gives for the alignment."""
        encode = model.encode

        def remembered(*arguments: Any, **options: Any) -> Any:
            self._encoded.append(encode(*arguments, **options))
            return self._encoded[-1]

        model.encode = remembered

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
            llm_dtype=_precision(built.device),
            max_length=_NEW_TOKENS,
            llm_kwargs={"do_sample": False},
            dataset_conf=built.config.get("dataset_conf") or {},
        )
        language = options.language if options.language in NANO_LANGUAGES else None
        texts = [transcript.strip_tags(str(found.get("text", "")))[0] for found in by_key(answer, len(batch))]
        return [
            Recognition(text, text, language, words) if text else EMPTY
            for text, words in zip(texts, self._words(texts), strict=True)
        ]

    def _words(self, texts: Sequence[str]) -> list[tuple[Word, ...]]:
        if self._head is None:
            return [()] * len(texts)
        return [_aligned(self._head, *each) for each in zip(texts, self._encoded, strict=True)]


def _aligned(head: CtcHead, text: str, encoded: tuple[Any, Any]) -> tuple[Word, ...]:
    """The words of `text` where the head heard them."""
    decoded, counts = head.decoder(*encoded)
    scores = head.output.log_softmax(decoded)[0, : int(counts[0])].float().cpu().numpy()
    ids = list(head.tokenizer.encode(text))
    spans = transcript.align(scores, ids, head.blank)
    if not spans:
        return ()
    certain = [float(scores[start:end, token].mean()) for token, (start, end) in zip(ids, spans, strict=True)]
    return transcript.words_from_pieces(
        [
            (_as_piece(piece), spans[first][0] * _FRAME, spans[last - 1][1] * _FRAME, min(certain[first:last]))
            for piece, first, last in _characters(head.tokenizer, ids)
        ]
    )


def _characters(tokenizer: Any, ids: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Tokens as text, (text, first, last + 1): those that are single bytes of a character together."""
    first = 0
    for last in range(1, len(ids) + 1):
        text = str(tokenizer.decode(list(ids[first:last])))
        if _BROKEN not in text or last - first >= _BYTES or last == len(ids):
            yield text, first, last
            first = last


def _precision(device: str) -> str:
    """The dtype of the language model: bfloat16 where the device has it, float16 on others, float32 on the CPU."""
    if device == "cpu":
        return "fp32"
    return "bf16" if half_dtype(device) == "bfloat16" else "fp16"


def _take_head(model: Any) -> CtcHead | None:
    if model.ctc_decoder is None:
        return None
    head = CtcHead(model.ctc_decoder, model.ctc, model.ctc_tokenizer, model.blank_id)
    model.ctc_decoder = None  # FunASR then batches, and does not ask for torchaudio
    return head


def _as_piece(text: str) -> str:
    """A space before a token opens a word, as SentencePiece marks it."""
    bare = text.strip()
    bare = bare.strip(_EDGES) or bare
    return "▁" + bare if text[:1].isspace() else bare
