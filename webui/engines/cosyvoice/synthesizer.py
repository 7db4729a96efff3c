"""The Synthesizer over the runtime: voices enrolled once, sentences spoken, recordings converted."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from webui.audio import cutting
from webui.engines.base import SpeechOptions, VoiceFeatures, Waveform, prompt_hash
from webui.engines.cosyvoice import features, precision
from webui.engines.cosyvoice.folder import LANGUAGES
from webui.engines.cosyvoice.hift import RATE
from webui.engines.cosyvoice.prompts import Mode
from webui.engines.cosyvoice.runtime import PromptFeatures, Runtime, check_length, checked_wave
from webui.engines.cosyvoice.tokenizer import spell, without_control
from webui.errors import Notice, UserError
from webui.text.languages import is_among, primary
from webui.text.normalisation import Normaliser
from webui.text.sentences import dominant_language

log = logging.getLogger(__name__)

PIECE = 25.0  # seconds of a recording converted at once
SEARCH = 10.0  # seconds at the end of a piece in which it may be cut
LEAST_PIECE = 0.2  # seconds that hold a sound
_RULES = {"zh": "zh", "yue": "zh", "en": "en"}  # language → the rules by which its numbers are read


class CosyVoiceSynthesizer:
    """Implements engines.base.Synthesizer. `devices` tells where each stage runs."""

    def __init__(self, runtime: Runtime, name: str, revision: str) -> None:
        self._runtime: Runtime | None = runtime
        self._name, self._revision = name, revision
        self._normaliser = Normaliser()
        device = str(runtime.device)
        self.devices = {"features": "cpu", "llm": device, "flow": device, "vocoder": device}

    @classmethod
    def load(
        cls, folder: Path, device: str, revision: str, graphs: bool = True, int8_parts: Sequence[str] = ()
    ) -> CosyVoiceSynthesizer:
        """`int8_parts`: computed in int8, of "llm" and "flow". Raises UserError MODEL_BROKEN naming file and key."""
        plain = precision.best(torch.device(device))
        llm, flow = (torch.int8 if part in int8_parts else plain for part in ("llm", "flow"))
        log.info("%s runs on %s, language model in %s, flow in %s", folder.name, device, llm, flow)
        return cls(Runtime.load(folder, device, llm, graphs, flow), folder.name, revision)

    def enrol(self, prompt: Waveform, transcript: str) -> VoiceFeatures:
        """The features of a prompt of 3 to 30 s, which has been trimmed and judged (audio.prompts).

        Without a transcript the voice speaks in cross-lingual mode, which needs none but follows the prompt's
        manner less. Raises UserError PROMPT_TOO_SHORT, PROMPT_TOO_LONG, PROMPT_RATE.
        """
        check_length(prompt.samples, prompt.rate)
        found = self._loaded.encoder.features(prompt.samples, prompt.rate)
        return VoiceFeatures(
            engine="cosyvoice",
            revision=self._revision,
            prompt_sha256=prompt_hash(prompt, transcript),
            arrays={"tokens": found.tokens.numpy(), "mel": found.mel.numpy(), "speaker": found.speaker.numpy()},
            facts={"transcript": transcript.strip(), "seconds": round(prompt.seconds, 2)},
        )

    def speak(self, text: str, voice: VoiceFeatures | None, options: SpeechOptions) -> Iterator[Waveform]:
        """One sentence: in pieces as soon as they can be had with `options.stream`, else in one.

        An instruction is followed where there is one; else the prompt's transcript is, where the voice has one.
        Raises UserError NOTHING_TO_SAY, UNKNOWN_PRONUNCIATION, INSTRUCT_TOO_LONG, LANGUAGE_UNSUPPORTED,
        NOT_CAPABLE (the engine has no voice of its own).
        """
        if voice is None:
            raise UserError("NOT_CAPABLE", param="voice", model=self._name, feature=Notice("BUILTIN_VOICE"))
        self._check_language(options.language)
        transcript = without_control(str(voice.facts.get("transcript", "")))
        instruct = without_control(options.instruct).strip()
        mode: Mode = "instruct" if instruct else "zero_shot" if transcript else "cross_lingual"
        request = self._loaded.request(spell(self._in_words(text, options.language)), transcript, mode, instruct)
        prompt = _prompt_features(voice).aligned()
        spoken = prompt.tokens.tolist() if mode == "zero_shot" else []
        tokens = self._loaded.speech_tokens(request, spoken, len(prompt.tokens), options.seed)
        pieces = self._loaded.speak(tokens, prompt, steps=options.steps, stream=options.stream, speed=options.speed)
        return (Waveform(piece, RATE) for piece in pieces)

    def convert(
        self, source: Waveform, voice: VoiceFeatures, options: SpeechOptions = SpeechOptions()
    ) -> Iterator[Waveform]:
        """What is said in `source`, of any length, in another voice; cut at its quietest places every 25 s.

        Of the options the steps count; nothing is drawn at random.
        """
        prompt = _prompt_features(voice)
        for piece in cutting.pieces(source.samples, source.rate, PIECE, SEARCH):
            if len(piece) < LEAST_PIECE * source.rate:
                continue
            wave = features.resample(checked_wave(piece, source.rate), source.rate, 16000)
            tokens = self._loaded.encoder.speech_tokens(wave).tolist()
            for samples in self._loaded.speak(iter(tokens), prompt, steps=options.steps):
                yield Waveform(samples, RATE)

    def close(self) -> None:
        """Lets the weights go; the object is of no further use."""
        self._runtime = None

    @property
    def _loaded(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError("this synthesizer is closed")
        return self._runtime

    def _in_words(self, text: str, language: str) -> str:
        """Numbers and signs read out, in the languages for which there are rules."""
        read_in = _RULES.get(primary(language), "") or (dominant_language(text) if language == "auto" else "")
        return self._normaliser.normalise(text, read_in) if read_in else text

    def _check_language(self, language: str) -> None:
        if language != "auto" and not is_among(language, LANGUAGES):
            raise UserError(
                "LANGUAGE_UNSUPPORTED",
                param="language",
                model=self._name,
                language=language,
                available=", ".join(LANGUAGES),
            )


def _prompt_features(voice: VoiceFeatures) -> PromptFeatures:
    return PromptFeatures(*(torch.from_numpy(voice.arrays[name]) for name in ("tokens", "mel", "speaker")))
