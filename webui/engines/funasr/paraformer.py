"""Paraformer, plain and contextual (SeACo): FunASR's own inference, fed with arrays and checked hotwords only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webui.engines.base import Recognition, RecognitionOptions, RecognizerCapabilities, Waveform
from webui.engines.funasr import features, transcript
from webui.engines.funasr.frontend import PrecomputedFeatures
from webui.engines.funasr.loading import Built
from webui.engines.funasr.recognizer import EMPTY, FunasrRecognizer, by_key


class Paraformer(FunasrRecognizer):
    """Mandarin, without punctuation; character times from the predictor."""

    def __init__(self, built: Built, capabilities: RecognizerCapabilities) -> None:
        super().__init__(built, capabilities)
        self._settings = features.settings_from(built.config["frontend_conf"])
        _skip_unused_times(built.model)

    def _prepare(self, waveform: Waveform) -> Waveform:
        return features.featured(waveform, self._settings)

    def _recognize(self, batch: Sequence[features.Featured], options: RecognitionOptions) -> list[Recognition]:
        built = self.built
        if self.capabilities.hotwords:
            ids = hotword_ids(options.hotwords, built.tokenizer, built.model.sos)
            # FunASR reads a hotword string as a URL or a file name where it looks like one: it gets no string.
            built.model.generate_hotwords_list = lambda *_args, **_kwargs: ids
        answer = built.model.inference(
            [segment.samples[:1] for segment in batch],  # read by nobody: the features are ready
            key=[str(index) for index in range(len(batch))],
            tokenizer=built.tokenizer,
            frontend=PrecomputedFeatures([segment.features for segment in batch], self._settings),
            device=built.device,
            pred_timestamp=not hasattr(built.tokenizer, "bpemodel"),
        )
        return [self._result(found) for found in by_key(answer, len(batch))]

    def _result(self, found: dict[str, Any]) -> Recognition:
        raw = transcript.tidy(str(found.get("text", "")))
        if not raw:
            return EMPTY
        words = transcript.words_from_times(raw, found.get("timestamp") or ())
        return Recognition(raw, raw, "zh", words)


def _skip_unused_times(model: Any) -> None:
    """FunASR's predictor runs its LSTM for times twice a segment and drops the first result; only the second runs here.

    That is a fifth of the time of an int8 model.
    """
    lstm = getattr(model.predictor, "blstm", None)
    if lstm is None:
        return
    predict = model.calc_predictor

    def without_lstm(*arguments: Any, **options: Any) -> Any:
        lstm.forward = lambda frames: (frames.new_zeros(*frames.shape[:2], 2 * lstm.hidden_size), (None, None))
        try:
            return predict(*arguments, **options)
        finally:
            del lstm.forward

    model.calc_predictor = without_lstm


def hotword_ids(words: Sequence[str], tokenizer: Any, end: int) -> list[list[int]] | None:
    """Hotwords as token ids, as SeACo wants them: the words, then the end token. None without hotwords.

    Words that the vocabulary cannot spell are left out; FunASR would bias towards <unk>.
    """
    known = {token: index for index, token in enumerate(tokenizer.token_list)}
    ids = [spelled for word in words for part in word.split() if (spelled := _spell(part, known, tokenizer.seg_dict))]
    return [*ids, [end]] if ids else None


def _spell(word: str, known: dict[str, int], pieces: dict[str, str] | None) -> list[int]:
    word = word.lower()
    tokens: list[str] = []
    for part in [word] if pieces and word in pieces else word:
        tokens += pieces[part].split() if pieces and part in pieces else [part]
    return [known[token] for token in tokens] if all(token in known for token in tokens) else []
