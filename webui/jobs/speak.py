"""Speaking a text: a segment a sentence, in a saved voice or the model's own, joined one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import soundfile

from webui.audio.joining import Joiner
from webui.audio.samples import Samples
from webui.audio.units import Seconds
from webui.engines.base import SpeechOptions, Synthesizer, SynthesizerModel, Waveform
from webui.errors import UserError
from webui.jobs.context import Context, TypedClaim, Worker
from webui.jobs.job_voice import EnrolledVoice, usable_voice
from webui.jobs.params import SpeakParams, StoredSpeakParams
from webui.jobs.publish import Sentences, publish
from webui.jobs.synthesis import SynthesisTurn, own_seed
from webui.jobs.transcripts import with_transcript
from webui.store.rows import NewSegment, SegmentResult, SegmentRow
from webui.text import pauses, sentences
from webui.text.lexicon import Lexicon


def plan(context: Context, claim: TypedClaim[StoredSpeakParams]) -> None:
    """A segment for each sentence. Raises UserError NOTHING_TO_SAY, PAUSE_…, LeaseLost, Cancelled."""
    text = claim.params.text
    parts = pauses.split(text)
    if not parts:
        raise UserError("NOTHING_TO_SAY", param="text")
    new = [NewSegment(0, 0, source=part.text) for part in parts]
    context.queue.plan(claim.lease, new, language=sentences.dominant_language(pauses.spoken(text)))


def speak(context: Context, claim: TypedClaim[StoredSpeakParams], worker: Worker) -> None:
    """Work on the job until it is finished, or someone else's turn, or the program ends.

    Raises LeaseLost, Cancelled, UserError, EngineError where the model or the voice cannot be had.
    """
    model = context.model(claim.job.model, SynthesizerModel)
    voice = _voice(context, claim, model, worker)
    speech = TextSpeech(claim.params, model, voice)
    if not SynthesisTurn(context, claim, model, worker, speech).run():
        return
    if voice is not None:
        voice.require()
    publish(context, claim, claim.params.format, OneAfterTheOther)


class TextSpeech:
    """Sentences of a text, with the organisation's words as they are read."""

    silence = False

    def __init__(self, params: StoredSpeakParams, model: SynthesizerModel, voice: EnrolledVoice | None) -> None:
        self.streamed = _streams(params, model)
        self._params = params
        self._lexicon = Lexicon(params.lexicon)
        self._voice = voice

    def pieces(self, synthesizer: Synthesizer, segment: SegmentRow) -> Iterator[Waveform]:
        features = self._voice.features(synthesizer) if self._voice else None
        text = self._lexicon.apply(_said(segment))
        return iter(synthesizer.speak(text, features, self._options(segment)))

    def halves(self, segment: SegmentRow) -> list[SegmentRow]:
        return [replace(segment, source=part) for part in sentences.halves(pauses.read(segment.source).text)]

    def result(self, segment: SegmentRow, seconds: Seconds) -> SegmentResult:
        text = _said(segment)
        return SegmentResult(segment.idx, text=text, text_raw=text, end=seconds)

    def _options(self, segment: SegmentRow) -> SpeechOptions:
        params = self._params
        own = sentences.dominant_language(_said(segment)) if params.language == "auto" else params.language
        return SpeechOptions(
            language=own,
            instruct=params.instruct,
            seed=own_seed(params.seed, segment),
            speed=params.speed,
            steps=params.steps,
            similarity=params.similarity,
            stream=self.streamed,
        )


class OneAfterTheOther:
    """Sentences with pauses between them."""

    def __init__(self, spoken: Sentences) -> None:
        self._sentences = spoken
        self.rate = soundfile.info(spoken[0][1]).samplerate
        self._joiner = Joiner(self.rate)

    def blocks(self) -> Iterator[Samples]:
        for segment, file in self._sentences:
            samples, _ = soundfile.read(file, dtype="float32")
            paused = pauses.read(segment.source)
            yield self._joiner.add(samples, paused.text, paused.before, paused.after)
        yield self._joiner.finish()

    def times(self, lead: Seconds) -> dict[int, tuple[Seconds, Seconds]]:
        spans = zip(self._sentences, self._joiner.spans, strict=True)
        return {segment.idx: (start + lead, end + lead) for (segment, _), (start, end) in spans}


def _said(segment: SegmentRow) -> str:
    """The sentence without the pauses that are asked for around it."""
    return pauses.read(segment.source).text.strip()


def _voice(
    context: Context, claim: TypedClaim[StoredSpeakParams], model: SynthesizerModel, worker: Worker
) -> EnrolledVoice | None:
    voice = usable_voice(context, claim, claim.params.voice)
    if voice is None:
        return None
    return EnrolledVoice(context, claim, model, with_transcript(context, claim, model, voice, worker))


def _streams(params: SpeakParams, model: SynthesizerModel) -> bool:
    """Whether the sentences are made in pieces; another speed needs the whole sentence."""
    return params.stream and model.capabilities.streaming and params.speed == 1.0
