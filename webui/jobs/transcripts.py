"""The transcript of a voice's prompt, recognised where the user gave none."""

from __future__ import annotations

import logging

import soundfile

from webui.audio.resampling import resample
from webui.engines import catalog
from webui.engines.base import RecognitionOptions, RecognizerModel, SynthesizerModel, Waveform
from webui.errors import Notice, UserError
from webui.jobs.context import Context, TypedClaim, Worker
from webui.jobs.params import SpeakParams, StoredSpeakParams
from webui.jobs.post_processing import PostProcessor
from webui.jobs.transcribe import knows
from webui.store.rows import VoiceRow
from webui.text.sentences import dominant_language

log = logging.getLogger(__name__)

RATE = 16_000  # Hz, of what a Recognizer is given


def with_transcript(
    context: Context, claim: TypedClaim[StoredSpeakParams], model: SynthesizerModel, voice: VoiceRow, worker: Worker
) -> VoiceRow:
    """`voice` with a transcript, where `model` speaks better with one and a real model recognises the language.

    It is kept with the voice, to be corrected there; the job's warnings tell where it comes from, and where there
    is none. Raises LeaseLost.
    """
    followed = model.capabilities.needs_transcript and not claim.params.instruct
    if voice.transcript or not followed:
        return voice
    recognizer = _recognizer(context, _language(claim.params))
    text = "" if recognizer is None else _recognised(context, recognizer, voice, worker)
    if recognizer is None or not text:
        context.queue.warn(claim.lease, Notice("TRANSCRIPT_MISSING"))
        return voice
    context.queue.warn(claim.lease, Notice("TRANSCRIPT_RECOGNISED", {"model": recognizer.name}))
    return context.voices.change(voice.owner_id, voice.uid, transcript=text)


def read_prompt(context: Context, voice: VoiceRow) -> Waveform:
    """The prompt's samples. Raises UserError MISSING_INPUT."""
    try:
        samples, rate = soundfile.read(context.settings.data / voice.prompt_path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError):
        raise UserError("MISSING_INPUT") from None
    return Waveform(samples[:, 0].copy(), rate)


def _language(params: SpeakParams) -> str:
    """What is to be spoken is the best guess of what the prompt speaks."""
    return dominant_language(params.text) if params.language == "auto" else params.language


def _recognizer(context: Context, language: str) -> RecognizerModel | None:
    """The best model that recognises `language` dependably."""
    recognizers = [model for model in context.models() if isinstance(model, RecognizerModel) and model.dependable]
    return catalog.best([model for model in recognizers if knows(model.capabilities, language)], RecognizerModel)


def _recognised(context: Context, model: RecognizerModel, voice: VoiceRow, worker: Worker) -> str:
    """What is said in the prompt, numbers in words as they are spoken; empty where recognition fails."""
    prompt = read_prompt(context, voice)
    heard = Waveform(resample(prompt.samples, prompt.rate, RATE), RATE)
    options = RecognitionOptions(itn=False)
    try:
        with context.host.use(model, context.host.place(model, worker.device)) as recognizer:
            found = recognizer.recognize([heard], options)
        (processed,) = PostProcessor(context, model, options).process(found)
    except Exception as error:  # a voice speaks without a transcript, too
        log.warning("%s did not recognise a prompt", model.name, exc_info=error)
        return ""
    return processed.text.strip()
