"""Transcriptions: batches of segments through a Recognizer, each committed when it is there."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from webui import devices
from webui.audio.input_gain import with_gain
from webui.audio.units import Seconds
from webui.audio.working_copy import WorkingCopy
from webui.engines.base import (
    EngineError,
    Recognition,
    RecognitionOptions,
    Recognizer,
    RecognizerCapabilities,
    RecognizerModel,
    Waveform,
    Word,
)
from webui.errors import Notice, UserError
from webui.hosting.calibration import recognizing
from webui.hosting.output_checks import checked_recognitions
from webui.jobs.context import MOST_IN_BATCH, Context, TypedClaim, Worker
from webui.jobs.params import TranscribeParams
from webui.jobs.placed_model import PlacedModel
from webui.jobs.post_processing import PostProcessor
from webui.jobs.prepare import WORKING_COPY, plan_recording
from webui.jobs.speakers import SpeakerStep
from webui.store.queue import LeaseLost
from webui.store.rows import Claim, SegmentResult, SegmentRow
from webui.store.states import FAILED, SKIPPED
from webui.text.languages import is_among
from webui.text.transcript import TimedWord

log = logging.getLogger(__name__)

SKIPPED_AT_ONCE = 1000  # segments


def plan(context: Context, claim: TypedClaim[TranscribeParams]) -> None:
    """A segment where somebody speaks. Raises UserError, LeaseLost, Cancelled, Interrupted."""
    plan_recording(context, claim, claim.params.channels, silence=True)


def transcribe(context: Context, claim: TypedClaim[TranscribeParams], worker: Worker) -> None:
    """Work on the job until it is finished, or until it is someone else's turn or the program ends.

    Raises LeaseLost, Cancelled, UserError, EngineError where the model cannot be had.
    """
    model = context.model(claim.job.model, RecognizerModel)
    params, language = claim.params, _spoken_language(claim.params.language, model)
    if not knows(model.capabilities, language):
        _skip_all(context, claim, worker)
        return
    turn = TranscribeTurn(context, claim, model, RecognitionOptions(language, params.hotwords, params.itn), worker)
    while turn.next_batch():
        if context.hand_over(claim, worker):
            return
    speakers = SpeakerStep(context, claim).run(worker) if _diarize(params, model.capabilities) else {}
    if speakers is not None:
        context.queue.finish(claim.lease, warnings=_warnings(model), speakers=speakers)


def _spoken_language(asked: str, model: RecognizerModel) -> str:
    """The language to recognise; what is not dependable is not asked to guess it, but takes its first."""
    if asked == "auto" and not model.dependable and model.capabilities.languages:
        return model.capabilities.languages[0]
    return asked


def knows(capabilities: RecognizerCapabilities, language: str) -> bool:
    """Whether a model recognises `language`."""
    known = capabilities.languages
    return language == "auto" or not known or is_among(language, known)


@dataclass(frozen=True)
class RecognizedBatch:
    """A segment's recognition or error code, the device that did it, and its share of the seconds it took."""

    value: Recognition | str
    device: str
    seconds: Seconds


class TranscribeTurn:
    """One worker's turn at one job."""

    def __init__(
        self, context: Context, claim: Claim, model: RecognizerModel, options: RecognitionOptions, worker: Worker
    ) -> None:
        self._context = context
        self._claim = claim
        self._model = model
        self._options = options
        self._post_processor = PostProcessor(context, model, options)
        self._copy = WorkingCopy(context.upload(claim.job, WORKING_COPY))
        self._placed = PlacedModel(context, claim, model, worker, "transcribe", recognizing)

    def next_batch(self) -> bool:
        """Recognise and commit one batch; False where nothing is left."""
        queue, lease = self._context.queue, self._claim.lease
        batch = self._placed.take(*_batch_limits(self._model.capabilities, self._placed.device))
        if not batch:
            return False
        found = self._post_processed(self._found([self._waveform(segment) for segment in batch]))
        results = [self._result(segment, each) for segment, each in zip(batch, found, strict=True)]
        queue.commit(lease, results, device=self._placed.device, seconds=sum(each.seconds for each in found))
        return True

    def _found(self, batch: list[Waveform]) -> list[RecognizedBatch]:
        """Per waveform its recognition, or the code of what went wrong; a batch that fails is tried in halves."""

        def work(recognizer: Recognizer) -> list[Recognition]:
            return checked_recognitions(recognizer.recognize(batch, self._options), batch)

        half = len(batch) // 2
        try:
            done = self._placed.run(work, sum(waveform.seconds for waveform in batch), divisible=half > 0)
            return [RecognizedBatch(each, done.device, done.seconds / len(batch)) for each in done.value]
        except (UserError, LeaseLost):
            raise
        except Exception as error:
            if not half:
                log.warning("a segment failed", exc_info=error)
                return [RecognizedBatch(failure_code(error), self._placed.device, 0)]
        # Outside the handler: the exception's frames held the batch's tensors in the device's memory.
        return self._found(batch[:half]) + self._found(batch[half:])

    def _post_processed(self, found: list[RecognizedBatch]) -> list[RecognizedBatch]:
        texts = iter(
            self._post_processor.process([each.value for each in found if isinstance(each.value, Recognition)])
        )
        return [replace(each, value=next(texts)) if isinstance(each.value, Recognition) else each for each in found]

    def _waveform(self, segment: SegmentRow) -> Waveform:
        samples = self._copy.read(segment.start, segment.end, segment.channel)
        return Waveform(with_gain(samples, self._copy.rate), self._copy.rate)

    def _result(self, segment: SegmentRow, each: RecognizedBatch) -> SegmentResult:
        found = each.value
        if isinstance(found, str):
            return SegmentResult(segment.idx, FAILED, error_code=found, took=each.seconds, device=each.device)
        language = found.language or (self._options.language if self._options.language != "auto" else None)
        return SegmentResult(
            segment.idx,
            text=found.text,
            text_raw=found.text_raw,
            words=tuple(_placed(segment, word) for word in found.words),
            language=language,
            speaker=str(segment.channel + 1) if self._copy.channels > 1 else found.speaker,
            confidence=found.confidence,
            took=each.seconds,
            device=each.device,
        )


def failure_code(error: Exception) -> str:
    """The code under which a segment's failure is kept."""
    if isinstance(error, EngineError):
        return error.code
    return "OUT_OF_MEMORY" if devices.is_out_of_memory(error) else "ENGINE_FAILED"


def _skip_all(context: Context, claim: TypedClaim[TranscribeParams], worker: Worker) -> None:
    """Nothing here understands the language: the segments keep their times and get no invented text."""
    while batch := context.queue.take(claim.lease, float("inf"), SKIPPED_AT_ONCE):
        skipped = [SegmentResult(row.idx, SKIPPED, error_code="MODEL_NEEDED") for row in batch]
        context.queue.commit(claim.lease, skipped, device=worker.device, seconds=0)
    context.queue.finish(claim.lease, error=Notice("MODEL_NEEDED", {"language": claim.params.language}))


def _batch_limits(capabilities: RecognizerCapabilities, device: str) -> tuple[float, int]:
    """Seconds and segments of a batch. On a CPU a batch gains nothing, and a crash or a cancellation loses one."""
    together = capabilities.batch_seconds > 0 and device != "cpu"
    return (capabilities.batch_seconds, MOST_IN_BATCH) if together else (0, 1)


def _diarize(params: TranscribeParams, capabilities: RecognizerCapabilities) -> bool:
    """Whether voices are still to be told apart; of split channels each is a speaker already."""
    return params.diarize and params.channels != "split" and not capabilities.speakers


def _warnings(model: RecognizerModel) -> list[Notice]:
    return [] if model.notice is None else [model.notice]


def _placed(segment: SegmentRow, word: Word) -> TimedWord:
    """The word with its times in the recording."""
    return TimedWord(word.text, segment.start + word.start, segment.start + word.end, word.confidence)
