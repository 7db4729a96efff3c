"""CosyVoice3 in one object: prompt features, language model, flow and vocoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from webui.audio.units import Hertz
from webui.engines.base import EngineError, Samples
from webui.engines.cosyvoice import features
from webui.engines.cosyvoice.flow import FRAMES_PER_TOKEN, LOOKAHEAD, MOST_FRAMES, Flow
from webui.engines.cosyvoice.folder import LEAST_RATE, broken, language_model, read_config
from webui.engines.cosyvoice.hift import RATE, Vocoder
from webui.engines.cosyvoice.llm import SpeechLanguageModel
from webui.engines.cosyvoice.prompts import END_OF_PROMPT, Mode, instruction, with_system_line
from webui.engines.cosyvoice.sampling import ForcedTokens, RepetitionAwareSampler, Sampler, SilenceLimit
from webui.engines.cosyvoice.tokenizer import TextTokenizer
from webui.engines.cosyvoice.weights import Weights
from webui.errors import UserError
from webui.onnx_session import OnnxSession

LEAST_PROMPT, MOST_PROMPT = 3.0, 30.0  # seconds
TOLERANCE = 0.01  # seconds, of what was cut to these lengths
LEAST_PER_TEXT_TOKEN, MOST_PER_TEXT_TOKEN = 2, 20  # speech tokens
FIRST_HOP, MOST_HOP = 25, 100  # tokens of a streamed chunk, doubling

Trace = dict[str, Any]
_Self = TypeVar("_Self", bound="Runtime")


@dataclass(frozen=True)
class PromptFeatures:
    """What the model keeps of a recording: tokens int64 (n,), mel float32 (frames, 80), speaker float32 (1, 192)."""

    tokens: torch.Tensor
    mel: torch.Tensor
    speaker: torch.Tensor

    def aligned(self) -> PromptFeatures:
        """Tokens and mel cut to the same time, two frames a token."""
        count = min(len(self.mel) // FRAMES_PER_TOKEN, len(self.tokens))
        return PromptFeatures(self.tokens[:count], self.mel[: count * FRAMES_PER_TOKEN], self.speaker)


@dataclass(frozen=True)
class Request:
    """Text ids before and of what is said, and how many of them are really spoken."""

    prompt: list[int]
    text: list[int]
    spoken: int


class PromptEncoder:
    """The two ONNX models that listen to a recording, on the CPU."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError MODEL_BROKEN."""
        self._tokens = _onnx_session(folder, "speech_tokenizer_v3.onnx")
        self._speaker = _onnx_session(folder, "campplus.onnx")

    def speech_tokens(self, wave: torch.Tensor, trace: Trace | None = None) -> torch.Tensor:
        """(1, n) at 16 kHz → ids int64 (tokens,), 25 a second."""
        mel = features.whisper_mel(wave)
        mel_input, length_input = self._tokens.inputs
        found = self._tokens.run({mel_input: mel.numpy(), length_input: np.array([mel.shape[2]], np.int32)})
        tokens = torch.from_numpy(next(iter(found.values())).reshape(-1).astype(np.int64))
        if trace is not None:
            trace.update(wav16k=wave, whisper_mel=mel, prompt_token_raw=tokens[None])
        return tokens

    def features(self, samples: Samples, rate: Hertz, trace: Trace | None = None) -> PromptFeatures:
        """The features of a prompt of up to 30 s. Raises UserError PROMPT_TOO_LONG, PROMPT_RATE."""
        wave = checked_wave(samples, rate)
        narrow = features.resample(wave, rate, 16000)
        tokens = self.speech_tokens(narrow, trace)
        fbank = features.kaldi_fbank(narrow)
        speaker = next(iter(self._speaker.run({self._speaker.inputs[0]: fbank[None].numpy()}).values()))
        found = PromptFeatures(
            tokens,
            features.prompt_mel(features.resample(wave, rate, RATE))[0],
            torch.from_numpy(speaker.reshape(1, -1).astype(np.float32)),
        )
        if trace is not None:
            trace.update(fbank=fbank, prompt_feat_raw=found.mel[None], spk_emb=found.speaker)
        return found


class Runtime:
    """A loaded model. Safe for one thread at a time; a call leaves nothing that another could notice.

    On a device with graphs these stay, and the cache they work in, which the next call empties (decoding.py).
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        encoder: PromptEncoder,
        language_model: SpeechLanguageModel,
        flow: Flow,
        vocoder: Vocoder,
        device: torch.device,
    ) -> None:
        self.tokenizer, self.encoder = tokenizer, encoder
        self.language_model, self.flow, self.vocoder = language_model, flow, vocoder
        self.device = device

    @classmethod
    def load(
        cls: type[_Self], folder: Path, device: str, dtype: Any, graphs: bool = True, flow_dtype: Any = None
    ) -> _Self:
        """`dtype`: of the language model, and of the flow without `flow_dtype`; `graphs`: decode by device graphs
        where they prove themselves.

        Raises UserError MODEL_BROKEN naming file and key.
        """
        where = torch.device(device)
        number, flow_number = (getattr(torch, str(one).removeprefix("torch.")) for one in (dtype, flow_dtype or dtype))
        return cls(
            TextTokenizer(folder),
            PromptEncoder(folder),
            SpeechLanguageModel(Weights(language_model(folder)), read_config(folder), where, number, graphs),
            Flow(Weights(folder / "flow.pt"), where, flow_number),
            Vocoder(Weights(folder / "hift.pt"), where),
            where,
        )

    def request(self, text: str, prompt_text: str, mode: Mode, instruct: str) -> Request:
        """What the language model reads. Raises UserError NOTHING_TO_SAY, TRANSCRIPT_REQUIRED, INSTRUCT_TOO_LONG."""
        spoken = text.rpartition(END_OF_PROMPT)[2]
        if not any(letter.isalnum() for letter in spoken):
            raise UserError("NOTHING_TO_SAY", param="text")
        before = ""
        if mode == "zero_shot":
            if not prompt_text.rpartition(END_OF_PROMPT)[2].strip():
                raise UserError("TRANSCRIPT_REQUIRED", param="transcript")
            before = prompt_text if END_OF_PROMPT in text else with_system_line(prompt_text)
        elif mode == "instruct":
            before = instruction(instruct or (prompt_text if prompt_text.endswith(END_OF_PROMPT) else ""))
        else:
            text = with_system_line(text)
        encode = self.tokenizer.encode
        return Request(encode(before), encode(text), len(encode(spoken)))

    def speech_tokens(
        self,
        request: Request,
        prompt: Sequence[int],
        reserved: int,
        seed: int = 0,
        forced: Sequence[int] | None = None,
        trace: Trace | None = None,
    ) -> Iterator[int]:
        """The speech tokens of a request after the `prompt` tokens, too long silences cut.

        `reserved`: tokens that the prompt takes of the flow's 300 s.
        """
        sampler: Sampler = RepetitionAwareSampler(seed) if forced is None else ForcedTokens(forced)
        least, most = LEAST_PER_TEXT_TOKEN * request.spoken, MOST_PER_TEXT_TOKEN * len(request.text)
        most = min(most, MOST_FRAMES // FRAMES_PER_TOKEN - reserved) if forced is None else len(forced)
        logits: list[torch.Tensor] | None = None if trace is None else []
        silence = SilenceLimit()
        ids = [*request.prompt, *request.text]
        yield from filter(silence.keeps, self.language_model.generate(ids, prompt, sampler, least, most, logits))
        if trace is not None and logits is not None:
            trace["logits"] = torch.stack(logits)

    def speak(
        self,
        tokens: Iterator[int],
        voice: PromptFeatures,
        *,
        steps: int = 10,
        stream: bool = False,
        speed: float = 1.0,
        noise: torch.Tensor | None = None,
        trace: Trace | None = None,
    ) -> Iterator[Samples]:
        """Samples for speech tokens in a voice: one piece, or with `stream` each piece as soon as it can be had.

        `speed` stretches time and needs the whole sentence: streaming ignores it.
        """
        rendering = _Rendering(self, voice, steps, noise, trace)
        if stream:
            yield from rendering.stream(tokens)
        else:
            yield rendering.whole(list(tokens), speed)


class _Rendering:
    """One sentence on its way through flow and vocoder."""

    def __init__(
        self, runtime: Runtime, voice: PromptFeatures, steps: int, noise: torch.Tensor | None, trace: Trace | None
    ) -> None:
        self._flow, self._vocoder = runtime.flow, runtime.vocoder
        self._voice = self._flow.condition(voice.tokens, voice.mel, voice.speaker)
        self._steps, self._noise = steps, noise
        self._trace, self._details = trace, None if trace is None else Trace()
        if trace is not None:
            trace.update(flow_prompt_token=voice.tokens[None], flow_prompt_feat=voice.mel[None])

    def whole(self, tokens: list[int], speed: float) -> Samples:
        mel = self._last_mel(tokens)
        if speed != 1.0:
            mel = F.interpolate(mel, size=int(mel.shape[2] / speed), mode="linear")
        samples = self._sound(mel, complete=True)
        self._finish([samples], mel, tokens)
        return samples

    def stream(self, tokens: Iterator[int]) -> Iterator[Samples]:
        """Chunks of 25, 50, then 100 tokens, the first up to the prompt's next chunk border; then what is left."""
        ready: list[int] = []
        mel = torch.zeros(1, 80, 0, device=self._voice.mel.device)
        pieces: list[Samples] = []
        offset, hop, sent = 0, FIRST_HOP, 0
        border = FIRST_HOP + -len(self._voice.tokens) % FIRST_HOP
        for token in tokens:
            ready.append(token)
            if len(ready) < border + LOOKAHEAD:
                continue
            new = self._flow(ready, self._voice, steps=self._steps, streaming=True, complete=False)
            mel = torch.cat([mel, new[:, :, FRAMES_PER_TOKEN * offset :]], 2)
            pieces.append(self._sound(mel, complete=False)[sent:])
            sent += len(pieces[-1])
            hop = min(2 * hop, MOST_HOP)
            offset, border = border, border + hop
            yield pieces[-1]
        mel = torch.cat([mel, self._last_mel(ready)[:, :, FRAMES_PER_TOKEN * offset :]], 2)
        pieces.append(self._sound(mel, complete=True)[sent:])
        self._finish(pieces, mel, ready)
        yield pieces[-1]

    def _last_mel(self, tokens: list[int]) -> torch.Tensor:
        """The mel of all the tokens. Raises EngineError where there are none."""
        if not tokens:
            raise EngineError("ENGINE_FAILED", "there are no speech tokens")
        return self._flow(tokens, self._voice, steps=self._steps, trace=self._details)

    def _sound(self, mel: torch.Tensor, complete: bool) -> Samples:
        samples = self._vocoder(mel, complete=complete, noise=self._noise, trace=self._details)
        return samples.cpu().numpy()

    def _finish(self, pieces: list[Samples], mel: torch.Tensor, tokens: list[int]) -> None:
        if self._trace is None or self._details is None:
            return
        speech = torch.from_numpy(np.concatenate(pieces))[None]
        self._trace.update({name: value.float().cpu() for name, value in self._details.items()})
        self._trace["gen_token"] = torch.tensor([tokens])
        self._trace.update(mel=mel.float().cpu(), hift_wav=speech, speech=speech, chunks=[len(one) for one in pieces])


def checked_wave(samples: Samples, rate: Hertz) -> torch.Tensor:
    """(1, n) float32 of a recording that the model can take. Raises UserError PROMPT_TOO_LONG, PROMPT_RATE."""
    if len(samples) > (MOST_PROMPT + TOLERANCE) * rate:
        raise UserError("PROMPT_TOO_LONG", seconds=round(len(samples) / rate, 1), most=int(MOST_PROMPT))
    if rate < LEAST_RATE:
        raise UserError("PROMPT_RATE", rate=rate, least=LEAST_RATE)
    return torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None]


def check_length(prompt: Samples, rate: Hertz) -> None:
    """Raises UserError PROMPT_TOO_SHORT, PROMPT_TOO_LONG."""
    seconds = round(len(prompt) / rate, 1)
    if len(prompt) < (LEAST_PROMPT - TOLERANCE) * rate:
        raise UserError("PROMPT_TOO_SHORT", param="file", seconds=seconds, least=int(LEAST_PROMPT))
    if len(prompt) > (MOST_PROMPT + TOLERANCE) * rate:
        raise UserError("PROMPT_TOO_LONG", param="file", seconds=seconds, most=int(MOST_PROMPT))


def _onnx_session(folder: Path, name: str) -> OnnxSession:
    try:
        return OnnxSession(folder / name, torch.get_num_threads())
    except Exception:  # the library's errors share no class
        raise broken(folder, "FILE_DAMAGED", file=name) from None
