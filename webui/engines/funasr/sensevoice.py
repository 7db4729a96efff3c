"""SenseVoiceSmall: CTC over a SANM encoder, with language and ITN asked for by four frames before the features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from webui.devices import load_torch
from webui.engines.base import Recognition, RecognitionOptions, RecognizerCapabilities, Waveform
from webui.engines.funasr import features, transcript
from webui.engines.funasr.loading import Built
from webui.engines.funasr.recognizer import FunasrRecognizer

ASKED = 4  # frames: language, event, emotion, text normalisation
_EVENT_AND_EMOTION = (1, 2)
_BLANK = 0
_DIGIT = re.compile(r"\d")

Best = tuple[NDArray[np.int64], NDArray[np.float32]]  # token and its log probability, (batch, frames)


class Encoder(Protocol):
    def best_tokens(self, padded: NDArray[np.float32], lengths: NDArray[np.int64], asked: NDArray[np.int64]) -> Best:
        """Per frame the likeliest token. `padded` (batch, frames, dimensions); `asked` (4,): rows of the embedding."""
        ...


class TorchEncoder:
    """The model as FunASR computes it, on any torch device."""

    def __init__(self, built: Built) -> None:
        self._built = built

    def best_tokens(self, padded: NDArray[np.float32], lengths: NDArray[np.int64], asked: NDArray[np.int64]) -> Best:
        torch, model, device = load_torch(), self._built.model, self._built.device
        speech = torch.from_numpy(padded).to(device)
        prefix = model.embed(torch.from_numpy(asked).to(device)).expand(len(padded), -1, -1)
        counts = torch.from_numpy(lengths).to(device) + ASKED
        hidden, _ = model.encoder(torch.cat((prefix, speech), dim=1), counts)
        scores, best = model.ctc.log_softmax(hidden).max(dim=-1)
        return best.cpu().numpy(), scores.float().cpu().numpy()


class SenseVoice(FunasrRecognizer):
    """Recognizes Mandarin, Cantonese, English, Japanese and Korean; with a switch for ITN."""

    def __init__(self, built: Built, capabilities: RecognizerCapabilities, encoder: Encoder | None = None) -> None:
        super().__init__(built, capabilities)
        self._encoder = encoder or TorchEncoder(built)
        self._settings = features.settings_from(built.config["frontend_conf"])
        self._languages: dict[str, int] = built.model.lid_dict
        self._styles: dict[str, int] = built.model.textnorm_dict

    def close(self) -> None:
        super().close()
        vars(self).pop("_encoder", None)

    def _prepare(self, waveform: Waveform) -> Waveform:
        return features.featured(waveform, self._settings)

    def _recognize(self, batch: Sequence[features.Featured], options: RecognitionOptions) -> list[Recognition]:
        extracted = [segment.features for segment in batch]
        results = self._pass(extracted, options, options.itn)
        numbers = [index for index, result in enumerate(results) if options.itn and _DIGIT.search(result.text)]
        if numbers:  # what was said, where ITN wrote digits; elsewhere both are the same
            spoken = self._pass([extracted[index] for index in numbers], options, False)
            for index, raw in zip(numbers, spoken, strict=True):
                results[index] = _with_raw(results[index], raw.text)
        return results

    def _pass(
        self, extracted: Sequence[features.Features], options: RecognitionOptions, itn: bool
    ) -> list[Recognition]:
        language = self._languages.get(options.language, self._languages["auto"])
        asked = np.array([language, *_EVENT_AND_EMOTION, self._styles["withitn" if itn else "woitn"]], np.int64)
        padded, lengths = features.pad(extracted)
        best, scores = self._encoder.best_tokens(padded, lengths, asked)
        return [
            self._decode(best[row, : length + ASKED], scores[row, : length + ASKED])
            for row, length in enumerate(lengths)
        ]

    def _decode(self, best: NDArray[np.int64], scores: NDArray[np.float32]) -> Recognition:
        tokens = transcript.greedy_ctc(best, scores, _BLANK)
        text, tags = transcript.strip_tags(self.built.tokenizer.decode([token.id for token in tokens]))
        said = transcript.greedy_ctc(best[ASKED:], scores[ASKED:], _BLANK)
        words = transcript.words_from_pieces([self._piece(token) for token in said]) if text else ()
        confidence = float(np.exp(np.mean([token.score for token in said]))) if said else None
        return Recognition(text, text, transcript.language_of(tags), words, confidence=confidence)

    def _piece(self, token: transcript.Token) -> tuple[str, float, float, float]:
        """Times as FunASR gives them: frames, less half of one."""
        frame = self._settings.seconds_per_frame
        start, end = (max(0.0, (place - 0.5) * frame) for place in (token.start, token.end))
        return self.built.tokenizer.sp.IdToPiece(token.id), start, end, token.score


def _with_raw(result: Recognition, raw: str) -> Recognition:
    return Recognition(
        result.text, raw or result.text, result.language, result.words, result.speaker, result.confidence
    )
