"""What an engine is: a protocol per kind of model, the data that cross them, and how an engine lists its models.

An engine module (built in, or named in the setting `engines`) has one function
`models(settings: Settings) -> Sequence[AnyModel]`, quick and free of heavy imports: torch and the like are
imported inside `Model.load`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from webui.audio.samples import Samples
from webui.audio.speaker_clusters import Embedding
from webui.audio.units import Hertz, Seconds
from webui.audio.vad import Span
from webui.errors import Notice

Array = NDArray[np.generic]  # type: ignore[explicit-any]  # of any shape


@dataclass(frozen=True)
class Waveform:
    """Mono audio. `samples`: float32 in -1…1, shape (n,); `rate`: Hz."""

    samples: Samples
    rate: Hertz

    @property
    def seconds(self) -> Seconds:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Capabilities:
    """What a model can do; the pages show and hide controls by it.

    `languages`: BCP 47 codes, empty = any. `unavailable`: control name → reason code (errors.toml) for what a user may
    look for and does not find (`hotwords`, `itn`, `instruct`, …).
    """

    languages: tuple[str, ...] = ()
    streaming: bool = False
    unavailable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RecognizerCapabilities(Capabilities):
    """What the model does itself; what it leaves out the job does afterwards where it can (jobs/post_processing.py).

    `streaming`: the recognizer is a StreamingRecognizer.
    """

    hotwords: bool = False  # it is told them; else the text is corrected by sound
    itn: bool = False
    punctuation: bool = False
    word_times: bool = False
    speakers: bool = False  # `Recognition.speaker`; else voices are told apart by a speaker embedder
    batch_seconds: Seconds = 0  # audio seconds worth batching on an accelerator; 0 = one segment at a time


@dataclass(frozen=True)
class SynthesizerCapabilities(Capabilities):
    """`streaming`: `SpeechOptions.stream` is followed. `instructions`: a menu of (name, what it tells the model)."""

    instruct: bool = False
    instructions: tuple[tuple[str, str], ...] = ()
    instruct_characters: int = 200  # longest instruction that is followed
    pronunciation: bool = False
    convert: bool = False
    similarity: bool = False  # a similarity–clarity control
    needs_transcript: bool = False  # likeness wants the prompt's text
    prompt_rate: Hertz = 0  # Hz, the least of a prompt
    own_voice: bool = True  # speaks without a prompt: the voice `builtin`
    sample_rate: Hertz = 24000  # Hz, of what it speaks


@dataclass(frozen=True)
class Word:
    """A word or character with its times in seconds from the segment's start."""

    text: str
    start: Seconds
    end: Seconds
    confidence: float | None = None


@dataclass(frozen=True)
class RecognitionOptions:
    """`hotwords`: as `text.hotwords.clean` leaves them, nothing that could be an instruction or a place to read."""

    language: str = "auto"
    hotwords: tuple[str, ...] = ()
    itn: bool = True


@dataclass(frozen=True)
class Recognition:
    """One segment's result. `text_raw` as the model said it, `text` after its own ITN where it has one.

    An empty segment is an empty text, never a missing result.
    """

    text: str
    text_raw: str
    language: str | None = None
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class SpeechOptions:
    language: str = "auto"
    instruct: str = ""
    seed: int = 0
    speed: float = 1.0  # 0.5 … 2
    steps: int = 10
    similarity: float = 0.55  # 0 = clearest, 1 = most like the prompt
    stream: bool = False  # in pieces, each as soon as it can be had, at some cost of quality


@dataclass(frozen=True)
class VoiceFeatures:
    """What an engine keeps of a voice: arrays and small facts, keyed by engine, model revision and prompt."""

    engine: str
    revision: str
    prompt_sha256: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """An .npz without pickles; `from_bytes` reads it back."""
        buffer = io.BytesIO()
        head = {
            "engine": self.engine,
            "revision": self.revision,
            "prompt": self.prompt_sha256,
            "facts": dict(self.facts),
        }
        arrays: dict[str, Array] = {f"array_{name}": value for name, value in self.arrays.items()}
        head_bytes = np.frombuffer(json.dumps(head).encode(), np.uint8)
        np.savez(buffer, head=head_bytes, **arrays)  # type: ignore[arg-type]  # the stub fears an `allow_pickle` in it
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> VoiceFeatures:
        """Raises ValueError for what `to_bytes` did not write."""
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            head = json.loads(loaded["head"].tobytes())
            arrays = {name[6:]: loaded[name] for name in loaded.files if name.startswith("array_")}
        return cls(head["engine"], head["revision"], head["prompt"], arrays, head["facts"])


class Engine(Protocol):
    """A loaded model. A class that inherits from a protocol here has what stands in it with a body."""

    def close(self) -> None:
        """Let the weights go; to be called twice does no harm."""
        return


class Recognizer(Engine, Protocol):
    def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
        """One result per waveform (16 kHz), in order. Raises EngineError."""
        ...


class LiveSession(Protocol):
    """One utterance of a live microphone."""

    def feed(self, samples: Samples) -> str:
        """The text so far, after 16 kHz float32 mono `samples` (n,)."""
        ...

    def finish(self) -> str:
        """The whole text; the session is over."""
        ...


@runtime_checkable
class StreamingRecognizer(Recognizer, Protocol):
    def open(self, options: RecognitionOptions) -> LiveSession:
        """A new utterance, whose text grows while somebody speaks."""
        ...


class Synthesizer(Engine, Protocol):
    @property
    def devices(self) -> Mapping[str, str]:
        """Stage → device for the job's row, where it has several stages; else empty."""
        return {}

    def enrol(self, prompt: Waveform, transcript: str) -> VoiceFeatures:
        """The features of a prompt. Raises UserError (PROMPT_…) where the prompt is of no use."""
        ...

    def speak(self, text: str, voice: VoiceFeatures | None, options: SpeechOptions) -> Iterator[Waveform]:
        """One sentence in pieces; `voice` None = the engine's own unconverted voice (`builtin`)."""
        ...

    def convert(self, source: Waveform, voice: VoiceFeatures, options: SpeechOptions) -> Iterator[Waveform]:  # noqa: ARG002
        """What `source` says in another voice, as long as it; `seed`, `steps` and `similarity` count.

        Asked only of models with the capability `convert`.
        """
        raise EngineError("NOT_CAPABLE", "convert")


class DetectorSession(Protocol):
    """One recording: blocks of 16 kHz mono in, spans of speech that are complete out."""

    def feed(self, block: NDArray[np.int16] | Samples) -> list[Span]:
        """`block`: int16 or float32, shape (n,) or (n, 1), of any length."""
        ...

    def finish(self) -> list[Span]:
        """The spans still open at the end of the recording."""
        ...


class SpeechDetector(Engine, Protocol):
    """Voice activity detection."""

    def session(self) -> DetectorSession:
        """A new recording; several may be open at once."""
        ...


class SpeakerEmbedder(Engine, Protocol):
    def embed(self, waveform: Waveform) -> Embedding | None:
        """The speaker embedding (dimensions,), of unit length; None for what is too short to tell a voice."""
        ...


class Punctuator(Engine, Protocol):
    def punctuate(self, text: str) -> str:
        """`text` with punctuation, its words unchanged."""
        ...


def read_everything(_text: str) -> None:
    """The check of an engine that can read any text."""


class EngineError(Exception):
    """An engine failed on this input; `code` is a key of errors.toml."""

    def __init__(self, code: str = "ENGINE_FAILED", detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class OptimisationReport(TypedDict):
    """`use`: the precision that is recommended; `errors`: part → relative error against the plain weights."""

    use: str
    errors: Mapping[str, float]


ModelKind = Literal["recognizer", "synthesizer", "vad", "speaker", "punctuation", "unknown"]
E = TypeVar("E", bound=Engine, covariant=True)


@dataclass(frozen=True)
class Model(Generic[E]):
    """A model that is present; engines list one of its subclasses.

    `revision` identifies the weights (a hash of names and sizes, or a version).
    `load(device)` returns the engine, ready on that torch device ("cpu", "npu:0" …).
    `device_kinds`: ("cpu",) = the CPU alone, else any card that is here as well; single vendors cannot be named.
    `problem`: why a folder that is there cannot be used.
    `default_rank`: the highest one present is the default; below 0 = never chosen by itself.
    `dependable`: False for a stopgap, whose results nothing else is built on and which is not asked to guess.
    `offered`: False for what is of no use on people's recordings and texts: used by name only.
    `notice`: shown with every result.
    `optimise()` prepares an ONNX export or int8 quantisation for the CPU, in minutes; raises UserError. None: neither.
    `optimised`: what was found out about it, once it was made.
    """

    kind: ClassVar[ModelKind]

    name: str
    engine: str
    revision: str
    capabilities: Capabilities
    load: Callable[[str], E]
    device_kinds: tuple[str, ...] = ("cpu",)  # or ("any",)
    default_rank: int = 0
    size_bytes: int = 0
    problem: Notice | None = None
    dependable: bool = True
    offered: bool = True
    notice: Notice | None = None
    optimise: Callable[[], None] | None = None
    optimised: OptimisationReport | None = None


@dataclass(frozen=True)
class RecognizerModel(Model[Recognizer]):
    kind = "recognizer"

    capabilities: RecognizerCapabilities


@dataclass(frozen=True)
class SynthesizerModel(Model[Synthesizer]):
    """`check_text(text)` raises UserError (UNKNOWN_PRONUNCIATION) for marks that the model lacks; quick."""

    kind = "synthesizer"

    capabilities: SynthesizerCapabilities
    check_text: Callable[[str], None] = read_everything


@dataclass(frozen=True)
class DetectorModel(Model[SpeechDetector]):
    kind = "vad"


@dataclass(frozen=True)
class EmbedderModel(Model[SpeakerEmbedder]):
    kind = "speaker"


@dataclass(frozen=True)
class PunctuatorModel(Model[Punctuator]):
    kind = "punctuation"


@dataclass(frozen=True)
class UnusableModel(Model[Engine]):
    """A folder of which nothing can be made, listed with its `problem`, so that nobody looks for it in vain."""

    kind = "unknown"


AnyModel = Model[Engine]  # of whatever kind


def prompt_hash(prompt: Waveform, transcript: str) -> str:
    """SHA-256 over the samples that the model opened, the rate and the transcript."""
    digest = hashlib.sha256(prompt.samples.tobytes())
    digest.update(f"|{prompt.rate}|{transcript}".encode())
    return digest.hexdigest()
