"""The basic engine's voice: espeak-ng's speech, given the timbre of a prompt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from webui.engines.base import SpeechOptions, Synthesizer, VoiceFeatures, Waveform, prompt_hash
from webui.engines.basic import conversion
from webui.engines.basic.conversion import NoVoice, Timbre
from webui.engines.basic.espeak import Espeak
from webui.engines.basic.reading import Reader
from webui.engines.basic.vocoder import RATE
from webui.errors import UserError
from webui.text.normalisation import Normaliser
from webui.text.sentences import dominant_language

WORDS_PER_MINUTE = 165  # at speed 1
_ESPEAK_RATES = (80, 450)
_PEAK = 0.97  # resampling may overshoot


class BasicSynthesizer(Synthesizer):
    """Threads may share one: only espeak's own requests queue up."""

    def __init__(self, revision: str, espeak: Espeak) -> None:
        self._revision = revision
        self._espeak = espeak
        self._reader = Reader(espeak)
        self._normaliser = Normaliser()

    def enrol(self, prompt: Waveform, transcript: str) -> VoiceFeatures:
        """The timbre of the prompt; the transcript is not needed. Raises UserError PROMPT_NO_VOICE."""
        try:
            timbre = conversion.timbre(prompt)
        except NoVoice:
            raise UserError("PROMPT_NO_VOICE", param="file") from None
        key = prompt_hash(prompt, transcript)
        return VoiceFeatures("basic", self._revision, key, timbre.arrays(), timbre.facts())

    def speak(self, text: str, voice: VoiceFeatures | None, options: SpeechOptions) -> Iterator[Waveform]:
        """One sentence at 24 kHz. Raises UserError UNKNOWN_PRONUNCIATION or NOTHING_TO_SAY, EngineError."""
        source = self._source(text, options)
        if voice is None:
            yield source
        else:
            yield from self.convert(source, voice, options)

    def convert(
        self, source: Waveform, voice: VoiceFeatures, options: SpeechOptions = SpeechOptions()
    ) -> Iterator[Waveform]:
        """`source` in that voice, in pieces; `similarity` and `seed` of the options count."""
        timbre = Timbre.restored(voice.arrays, voice.facts)
        return conversion.convert(source, timbre, options.similarity, options.seed)

    def close(self) -> None:
        self._espeak.close()

    def _source(self, text: str, options: SpeechOptions) -> Waveform:
        """The text in espeak's own voices."""
        language = options.language if options.language in ("zh", "en") else dominant_language(text)
        runs = self._reader.read(self._normaliser.normalise(text, language), language)
        rate = round(np.clip(WORDS_PER_MINUTE * options.speed, *_ESPEAK_RATES))
        spoken = [self._espeak.speak(run.text, run.voice, rate) for run in runs if run.text.strip()]
        pieces = [conversion.resampled(piece) for piece in spoken if len(piece.samples)]
        if not pieces:
            raise UserError("NOTHING_TO_SAY", param="text")
        samples = np.concatenate(pieces)
        return Waveform((samples * min(1.0, _PEAK / np.abs(samples).max(initial=1e-6))).astype(np.float32), RATE)
