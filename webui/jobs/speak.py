"""The second stage of speaking and converting: sentence by sentence into WAV files, joined and labelled at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from webui.audio.encode import AudioWriter
from webui.audio.input_gain import with_gain
from webui.audio.working_copy import WorkingCopy
from webui.devices.faults import fault_in
from webui.engines.base import EngineError, SpeechOptions, Synthesizer, SynthesizerModel, VoiceFeatures, Waveform
from webui.errors import Notice, UserError
from webui.hosting.calibration import speaking
from webui.hosting.output_checks import checked_waveform
from webui.jobs.context import Context, Worker
from webui.jobs.live import LiveWriter, live_file
from webui.jobs.placed_model import Done, PlacedModel
from webui.jobs.prepare import WORKING_COPY
from webui.jobs.publish import publish, segment_file
from webui.jobs.transcribe import failure_code
from webui.jobs.transcripts import read_prompt, with_transcript
from webui.store.queue import LeaseLost
from webui.store.rows import Claim, JobRow, SegmentResult, SegmentRow, VoiceRow
from webui.store.states import CONVERT, FAILED, SPEAK
from webui.text import sentences
from webui.text.lexicon import Lexicon

log = logging.getLogger(__name__)

SECONDS_PER_CHARACTER = 0.3
LEAST_PART_MS = 1000  # of a recording to be converted


def speak(context: Context, claim: Claim, worker: Worker) -> None:
    """Work on a job of kind speak or convert until it is finished, or someone else's turn, or the program ends.

    Raises LeaseLost, Cancelled, UserError, EngineError where the model or the voice cannot be had.
    """
    model = context.model(claim.job.model, SynthesizerModel)
    turn = SpeakTurn(context, claim, model, worker)
    while turn.next_sentence():
        if context.hand_over(claim, worker):
            return
    publish(context, claim)


class SpeakTurn:
    """One worker's turn at one job."""

    def __init__(self, context: Context, claim: Claim, model: SynthesizerModel, worker: Worker) -> None:
        self._context = context
        self._claim = claim
        self._job = claim.job
        self._model = model
        self._streamed = streams(claim.job, model)
        self._lexicon = Lexicon(claim.job.params.get("lexicon", {}))
        voice = _usable_voice(context, claim.job)
        self._voice = voice and with_transcript(context, claim, model, voice, worker)
        self._features: VoiceFeatures | None = None
        self._noted: set[tuple[str, str]] = set()
        self._placed = PlacedModel(context, claim, model, worker, self._job.kind, speaking)

    def next_sentence(self) -> bool:
        """Make and commit one segment; False where nothing is left."""
        batch = self._placed.take(0, 1)
        if not batch:
            return False
        began = time.monotonic()
        result = self._made(batch[0])
        seconds = time.monotonic() - began
        result = replace(result, took_ms=round(seconds * 1000))
        self._context.queue.commit(self._claim.lease, [result], device=self._placed.device, seconds=seconds)
        live_file(self._file(batch[0])).unlink(missing_ok=True)
        return True

    def _file(self, segment: SegmentRow) -> Path:
        return segment_file(self._context, self._job, segment.idx)

    def _made(self, segment: SegmentRow) -> SegmentResult:
        try:
            done = self._spoken(segment)
        except (UserError, OSError, LeaseLost):
            raise  # the voice, the model, the disk: nothing that another sentence would survive
        except Exception as error:
            log.warning("job %s: segment %d failed", self._job.uid, segment.idx, exc_info=error)
            return SegmentResult(segment.idx, FAILED, error_code=failure_code(error))
        end = done.value if self._job.kind == SPEAK else None
        text = segment.source.strip()
        return SegmentResult(segment.idx, text=text, text_raw=text, end_ms=end, device=done.device)

    def _spoken(self, segment: SegmentRow) -> Done[int]:
        """The segment's file and its length in ms; what does not fit into memory at once is made in two parts."""

        def work(synthesizer: Synthesizer) -> int:
            return self._write(segment, self._speech(synthesizer, segment))

        parts, seconds = _parts(segment), _expected_seconds(segment)
        try:
            return self._placed.run(work, seconds, divisible=len(parts) > 1)
        except Exception as error:
            fault = fault_in(error)
            if fault is None or fault.kind != "memory" or len(parts) == 1:
                raise
        self._context.queue.warn(self._claim.lease, Notice("MEMORY_PIECES", {"device": self._placed.device}))
        made = [self._placed.run(partial(self._whole_speech, part), seconds) for part in parts]
        milliseconds = self._write(segment, chain.from_iterable(done.value for done in made))
        return Done(milliseconds, made[-1].device, sum(done.seconds for done in made))

    def _whole_speech(self, segment: SegmentRow, synthesizer: Synthesizer) -> list[Waveform]:
        return list(self._speech(synthesizer, segment))

    def _speech(self, synthesizer: Synthesizer, segment: SegmentRow) -> Iterator[Waveform]:
        self._note_stages(synthesizer)
        if self._voice is not None and self._features is None:
            self._features = features(self._context, self._model, synthesizer, self._voice)
        options = speech_options(self._job, segment.source, segment.idx, self._streamed)
        if self._job.kind == CONVERT:
            if self._features is None:
                raise UserError("VOICE_NOT_FOUND", voice="builtin")
            copy = WorkingCopy(self._context.upload(self._job, WORKING_COPY))
            source = copy.read(segment.start_ms / 1000, segment.end_ms / 1000, segment.channel)
            return iter(synthesizer.convert(Waveform(with_gain(source, copy.rate), copy.rate), self._features, options))
        return iter(synthesizer.speak(self._lexicon.apply(segment.source.strip()), self._features, options))

    def _note_stages(self, synthesizer: Synthesizer) -> None:
        """Show in the job's row where each of the engine's own stages runs, where it has several."""
        for stage in set(synthesizer.devices.items()) - self._noted:
            self._noted.add(stage)
            self._context.note_device(self._claim, *stage)

    def _write(self, segment: SegmentRow, speech: Iterable[Waveform]) -> int:
        """Write the segment's WAV, whole or not at all; its length in ms. A streamed one can be heard meanwhile."""
        path = self._file(segment)
        rate = self._model.capabilities.sample_rate
        samples = 0
        live = LiveWriter(live_file(path)) if self._streamed else nullcontext()
        with AudioWriter(path, "wav", rate) as writer, live as heard:
            for piece in speech:
                writer.write(checked_waveform(piece).samples)
                samples += len(piece.samples)
                if heard is not None:
                    heard.write(piece.samples)
                    self._context.queue.note(self._claim.lease)  # whoever listens looks again
            if not samples and self._job.kind == SPEAK:
                raise EngineError("ENGINE_FAILED", "no sound")
        return round(samples / rate * 1000)


def _expected_seconds(segment: SegmentRow) -> float:
    """A generous guess of how long the segment will sound."""
    return max((segment.end_ms - segment.start_ms) / 1000, SECONDS_PER_CHARACTER * len(segment.source))


def _parts(segment: SegmentRow) -> list[SegmentRow]:
    """The segment in two, where both parts still hold something."""
    if segment.source:
        return [replace(segment, source=part) for part in sentences.halves(segment.source)]
    middle = (segment.start_ms + segment.end_ms) // 2
    if middle - segment.start_ms < LEAST_PART_MS:
        return [segment]
    return [replace(segment, end_ms=middle), replace(segment, start_ms=middle)]


def streams(job: JobRow, model: SynthesizerModel) -> bool:
    """Whether the job's sentences are made in pieces; another speed needs the whole sentence."""
    return bool(job.params.get("stream")) and model.capabilities.streaming and job.params.get("speed", 1.0) == 1.0


def speech_options(job: JobRow, sentence: str, idx: int, stream: bool = False) -> SpeechOptions:
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
        stream=stream,
    )


def features(context: Context, model: SynthesizerModel, synthesizer: Synthesizer, voice: VoiceRow) -> VoiceFeatures:
    """What the engine keeps of a voice: from the store, else enrolled now and stored.

    Raises UserError (PROMPT_…, MISSING_INPUT) where the prompt is of no use.
    """
    kept = context.voices.features(voice.id, model.engine, model.revision)
    if kept is not None:
        return VoiceFeatures.from_bytes(kept)
    enrolled = synthesizer.enrol(read_prompt(context, voice), voice.transcript)
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
