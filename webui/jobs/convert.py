"""Reading a recording again in another voice: every part where it was, silence between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import soundfile

from webui.audio.input_gain import with_gain
from webui.audio.samples import Samples
from webui.audio.units import Seconds
from webui.audio.working_copy import WorkingCopy
from webui.engines.base import SpeechOptions, Synthesizer, SynthesizerModel, Waveform
from webui.errors import UserError
from webui.jobs.context import Context, TypedClaim, Worker
from webui.jobs.job_voice import EnrolledVoice, usable_voice
from webui.jobs.params import ConvertParams
from webui.jobs.prepare import WORKING_COPY, plan_recording
from webui.jobs.publish import Sentences, publish
from webui.jobs.synthesis import SynthesisTurn, own_seed
from webui.store.rows import SegmentResult, SegmentRow

LEAST_PART_S = 1.0  # of a recording to be converted
BLOCK = 2**16  # samples read at once


def plan(context: Context, claim: TypedClaim[ConvertParams]) -> None:
    """A segment where somebody speaks. Raises UserError NO_SPEECH …, LeaseLost, Cancelled, Interrupted."""
    plan_recording(context, claim, "mix", silence=False)


def convert(context: Context, claim: TypedClaim[ConvertParams], worker: Worker) -> None:
    """Work on the job until it is finished, or someone else's turn, or the program ends.

    Raises LeaseLost, Cancelled, UserError, EngineError where the model or the voice cannot be had.
    """
    model = context.model(claim.job.model, SynthesizerModel)
    saved = usable_voice(context, claim, claim.params.voice)
    if saved is None:
        raise UserError("VOICE_NOT_FOUND", voice=claim.params.voice)
    copy = WorkingCopy(context.upload(claim.job, WORKING_COPY))
    voice = EnrolledVoice(context, claim, model, saved)
    speech = OtherVoice(claim.params, copy, voice)
    if not SynthesisTurn(context, claim, model, worker, speech).run():
        return
    voice.require()
    publish(context, claim, claim.params.format, InTheirPlaces)


class OtherVoice:
    """Parts of a recording in another voice."""

    streamed = False
    silence = True

    def __init__(self, params: ConvertParams, copy: WorkingCopy, voice: EnrolledVoice) -> None:
        self._params = params
        self._copy = copy
        self._voice = voice

    def pieces(self, synthesizer: Synthesizer, segment: SegmentRow) -> Iterator[Waveform]:
        features = self._voice.features(synthesizer)
        samples = self._copy.read(segment.start, segment.end, segment.channel)
        source = Waveform(with_gain(samples, self._copy.rate), self._copy.rate)
        return iter(synthesizer.convert(source, features, self._options(segment)))

    def halves(self, segment: SegmentRow) -> list[SegmentRow]:
        middle = (segment.start + segment.end) / 2
        if middle - segment.start < LEAST_PART_S:
            return [segment]
        return [replace(segment, end=middle), replace(segment, start=middle)]

    def result(self, segment: SegmentRow, _seconds: Seconds) -> SegmentResult:
        return SegmentResult(segment.idx)

    def _options(self, segment: SegmentRow) -> SpeechOptions:
        params = self._params
        return SpeechOptions(seed=own_seed(params.seed, segment), steps=params.steps, similarity=params.similarity)


class InTheirPlaces:
    """Every part where it was in the original; the segments keep their times."""

    def __init__(self, converted: Sentences) -> None:
        self._parts = converted
        self.rate = soundfile.info(converted[0][1]).samplerate

    def blocks(self) -> Iterator[Samples]:
        written = 0
        for segment, file in self._parts:
            silence = np.zeros(max(0, round(segment.start * self.rate) - written), np.float32)
            written += len(silence)
            yield silence
            for block in soundfile.blocks(file, BLOCK, dtype="float32"):
                written += len(block)
                yield block

    def times(self, _lead: Seconds) -> dict[int, tuple[Seconds, Seconds]]:
        return {}
