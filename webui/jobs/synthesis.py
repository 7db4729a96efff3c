"""The second stage of a job that makes speech: sentence by sentence into WAV files, whatever is said and how."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

from webui.audio.encode import AudioWriter
from webui.audio.units import Seconds
from webui.devices.faults import fault_in
from webui.engines.base import EngineError, Synthesizer, SynthesizerModel, Waveform
from webui.errors import Notice, UserError
from webui.hosting.calibration import speaking
from webui.hosting.output_checks import checked_waveform
from webui.jobs.context import Context, Worker
from webui.jobs.live import LiveWriter, live_file
from webui.jobs.placed_model import Done, PlacedModel
from webui.jobs.publish import segment_file
from webui.jobs.transcribe import failure_code
from webui.store.queue import LeaseLost
from webui.store.rows import Claim, SegmentResult, SegmentRow
from webui.store.states import FAILED
from webui.text import pauses

log = logging.getLogger(__name__)

SECONDS_PER_CHARACTER = 0.3


class Speech(Protocol):
    """What a job has a synthesizer say, segment by segment."""

    @property
    def streamed(self) -> bool:
        """Whether a segment is made in pieces that can be heard before it ends."""
        ...

    @property
    def silence(self) -> bool:
        """Whether a segment may turn out to be no sound at all."""
        ...

    def pieces(self, synthesizer: Synthesizer, segment: SegmentRow) -> Iterator[Waveform]:
        """The segment's sound, in its order. Raises UserError where the voice cannot be had."""
        ...

    def halves(self, segment: SegmentRow) -> list[SegmentRow]:
        """The segment in two, each with something in it; in one where that cannot be."""
        ...

    def result(self, segment: SegmentRow, seconds: Seconds, /) -> SegmentResult:
        """What the row keeps of a segment that became `seconds` of sound."""
        ...


class SynthesisTurn:
    """One worker's turn at one job."""

    def __init__(self, context: Context, claim: Claim, model: SynthesizerModel, worker: Worker, speech: Speech) -> None:
        """Load the model. Raises UserError, EngineError where it cannot be had, LeaseLost."""
        self._context = context
        self._claim = claim
        self._worker = worker
        self._speech = speech
        self._rate = model.capabilities.sample_rate
        self._noted: set[tuple[str, str]] = set()
        self._placed = PlacedModel(context, claim, model, worker, claim.job.kind, speaking)

    def run(self) -> bool:
        """Make all that is left; False where the program ends or another job is next."""
        while self._next_sentence():
            if self._context.hand_over(self._claim, self._worker):
                return False
        return True

    def _next_sentence(self) -> bool:
        """Make and commit one segment; False where nothing is left."""
        batch = self._placed.take(0, 1)
        if not batch:
            return False
        began = time.monotonic()
        result = self._made(batch[0])
        seconds = time.monotonic() - began
        result = replace(result, took=seconds)
        self._context.queue.commit(self._claim.lease, [result], device=self._placed.device, seconds=seconds)
        live_file(self._file(batch[0])).unlink(missing_ok=True)
        return True

    def _file(self, segment: SegmentRow) -> Path:
        return segment_file(self._context, self._claim.job, segment.idx)

    def _made(self, segment: SegmentRow) -> SegmentResult:
        try:
            done = self._spoken(segment)
        except (UserError, OSError, LeaseLost):
            raise  # the voice, the model, the disk: nothing that another sentence would survive
        except Exception as error:
            log.warning("job %s: segment %d failed", self._claim.lease.uid, segment.idx, exc_info=error)
            return SegmentResult(segment.idx, FAILED, error_code=failure_code(error))
        return replace(self._speech.result(segment, done.value), device=done.device)

    def _spoken(self, segment: SegmentRow) -> Done[float]:
        """The segment's file and its length in seconds; what does not fit into memory at once is made in two parts."""

        def work(synthesizer: Synthesizer) -> float:
            return self._write(segment, self._pieces(segment, synthesizer))

        parts, expected = self._speech.halves(segment), _expected_seconds(segment)
        try:
            return self._placed.run(work, expected, divisible=len(parts) > 1)
        except Exception as error:
            fault = fault_in(error)
            if fault is None or fault.kind != "memory" or len(parts) == 1:
                raise
        self._context.queue.warn(self._claim.lease, Notice("MEMORY_PIECES", {"device": self._placed.device}))
        made = [self._placed.run(partial(self._whole, part), expected) for part in parts]
        seconds = self._write(segment, chain.from_iterable(done.value for done in made))
        return Done(seconds, made[-1].device, sum(done.seconds for done in made))

    def _whole(self, segment: SegmentRow, synthesizer: Synthesizer) -> list[Waveform]:
        return list(self._pieces(segment, synthesizer))

    def _pieces(self, segment: SegmentRow, synthesizer: Synthesizer) -> Iterator[Waveform]:
        self._note_stages(synthesizer)
        return self._speech.pieces(synthesizer, segment)

    def _note_stages(self, synthesizer: Synthesizer) -> None:
        """Show in the job's row where each of the engine's own stages runs, where it has several."""
        for stage in set(synthesizer.devices.items()) - self._noted:
            self._noted.add(stage)
            self._context.note_device(self._claim, *stage)

    def _write(self, segment: SegmentRow, pieces: Iterable[Waveform]) -> float:
        """Write the segment's WAV, whole or not at all; its length in seconds. A streamed one is heard meanwhile."""
        path = self._file(segment)
        samples = 0
        live = LiveWriter(live_file(path)) if self._speech.streamed else nullcontext()
        with AudioWriter(path, "wav", self._rate) as writer, live as heard:
            for piece in pieces:
                writer.write(checked_waveform(piece).samples)
                samples += len(piece.samples)
                if heard is not None:
                    heard.write(piece.samples)
                    self._context.queue.note(self._claim.lease)  # whoever listens looks again
            if not samples and not self._speech.silence:
                raise EngineError("ENGINE_FAILED", "no sound")
        return samples / self._rate


def own_seed(seed: int, segment: SegmentRow) -> int:
    """Each segment has its own, so that a repeated one sounds as it did."""
    return (seed + segment.idx) % 2**31


def _expected_seconds(segment: SegmentRow) -> Seconds:
    """A generous guess of how long the segment will sound."""
    return max(segment.end - segment.start, SECONDS_PER_CHARACTER * len(pauses.read(segment.source).text))
