"""The second stage of speaking and converting: sentence by sentence into WAV files, joined and labelled at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import soundfile

from webui.audio.encode import AudioWriter
from webui.audio.working_copy import WorkingCopy
from webui.engines.base import EngineError, Model, SpeechOptions, Synthesizer, VoiceFeatures, Waveform
from webui.errors import UserError
from webui.jobs.context import Context, Seat
from webui.jobs.fallback import PlacedModel
from webui.jobs.prepare import WORKING_COPY
from webui.jobs.publish import publish, segment_file
from webui.jobs.transcribe import failure_code
from webui.store.queue import LeaseLost
from webui.store.rows import Claim, JobRow, SegmentResult, SegmentRow, VoiceRow
from webui.text import sentences

log = logging.getLogger(__name__)

SECONDS_PER_CHARACTER = 0.3


def speak(context: Context, claim: Claim, seat: Seat) -> None:
    """Work on a job of kind speak or convert until it is finished, or someone else's turn, or the program ends.

    Raises LeaseLost, Cancelled, UserError, EngineError where the model or the voice cannot be had.
    """
    model = context.model(claim.job.model, "synthesizer")
    step = _Step(context, claim, model, seat)
    while step.next_sentence():
        if context.hand_over(claim, seat):
            return
    publish(context, claim)


class _Step:
    """One worker's turn at one job."""

    def __init__(self, context: Context, claim: Claim, model: Model, seat: Seat) -> None:
        self._context = context
        self._claim = claim
        self._job = claim.job
        self._model = model
        self._voice = _usable_voice(context, claim.job)
        self._features: VoiceFeatures | None = None
        self._placed = PlacedModel(context, claim, model, seat, self._job.kind)

    def next_sentence(self) -> bool:
        """Make and commit one segment; False where nothing is left."""
        self._placed.load()
        batch = self._context.queue.take(self._claim.lease, 0, 1)
        if not batch:
            return False
        began = time.monotonic()
        result = self._made(batch[0])
        seconds = time.monotonic() - began
        result = replace(result, took_ms=round(seconds * 1000))
        self._context.queue.commit(self._claim.lease, [result], device=self._placed.device, seconds=seconds)
        return True

    def _made(self, segment: SegmentRow) -> SegmentResult:
        def work(synthesizer: Synthesizer) -> int:
            return self._write(segment, self._speech(synthesizer, segment))

        try:
            done = self._placed.run(work, _expected_seconds(segment))
        except (UserError, OSError, LeaseLost):
            raise  # the voice, the model, the disk: nothing that another sentence would survive
        except Exception as error:
            log.warning("job %s: segment %d failed", self._job.uid, segment.idx, exc_info=error)
            return SegmentResult(segment.idx, "failed", error_code=failure_code(error))
        end = done.value if self._job.kind == "speak" else None
        source = segment.source
        return SegmentResult(segment.idx, text=source, text_raw=source, end_ms=end, device=done.device)

    def _speech(self, synthesizer: Any, segment: SegmentRow) -> Iterator[Waveform]:
        if self._voice is not None and self._features is None:
            self._features = features(self._context, self._model, synthesizer, self._voice)
        if self._job.kind == "convert":
            copy = WorkingCopy(self._context.upload(self._job, WORKING_COPY))
            source = copy.read(segment.start_ms / 1000, segment.end_ms / 1000, segment.channel)
            return iter(synthesizer.convert(Waveform(source, copy.rate), self._features))
        options = speech_options(self._job, segment.source, segment.idx)
        return iter(synthesizer.speak(segment.source, self._features, options))

    def _write(self, segment: SegmentRow, speech: Iterable[Waveform]) -> int:
        """Write the segment's WAV, whole or not at all; its length in ms."""
        path = segment_file(self._context, self._job, segment.idx)
        rate = self._model.capabilities.sample_rate
        samples = 0
        with AudioWriter(path, "wav", rate) as writer:
            for piece in speech:
                writer.write(piece.samples)
                samples += len(piece.samples)
            if not samples:
                raise EngineError("ENGINE_FAILED", "no sound")
        return round(samples / rate * 1000)


def _expected_seconds(segment: SegmentRow) -> float:
    """A generous guess of how long the segment will sound."""
    return max((segment.end_ms - segment.start_ms) / 1000, SECONDS_PER_CHARACTER * len(segment.source))


def speech_options(job: JobRow, sentence: str, idx: int) -> SpeechOptions:
    """The options of one sentence: each has its own seed, so that a repeated one sounds as it did."""
    params = job.params
    language = params.get("language") or "auto"
    return SpeechOptions(
        language=sentences.dominant_language(sentence) if language == "auto" else language,
        instruct=params.get("instruct", ""),
        seed=(int(params.get("seed", 0)) + idx) % 2**31,
        speed=params.get("speed", 1.0),
        steps=params.get("steps", 10),
        similarity=params.get("similarity", 0.55),
    )


def features(context: Context, model: Model, synthesizer: Any, voice: VoiceRow) -> VoiceFeatures:
    """What the engine keeps of a voice: from the store, else enrolled now and stored.

    Raises UserError (PROMPT_…, MISSING_INPUT) where the prompt is of no use.
    """
    kept = context.voices.features(voice.id, model.engine, model.revision)
    if kept is not None:
        return VoiceFeatures.from_bytes(kept)
    try:
        samples, rate = soundfile.read(context.settings.data / voice.prompt_path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError):
        raise UserError("MISSING_INPUT") from None
    enrolled: VoiceFeatures = synthesizer.enrol(Waveform(samples[:, 0].copy(), rate), voice.transcript)
    context.voices.keep_features(voice.id, model.engine, model.revision, enrolled.to_bytes())
    return enrolled


def _usable_voice(context: Context, job: JobRow) -> VoiceRow | None:
    """The job's voice; None for `builtin`. A consent may have been withdrawn since the submission."""
    wanted = str(job.params.get("voice", "builtin"))
    if job.voice_id is None:
        if wanted != "builtin":
            raise UserError("VOICE_NOT_FOUND", voice=wanted)
        return None
    voice = context.voices.get(job.voice_id)
    if voice is None:
        raise UserError("VOICE_NOT_FOUND", voice=wanted)
    if not context.voices.usable(voice.id):
        raise UserError("CONSENT_EXPIRED", voice=voice.name)
    return voice
