"""The end of a speaking job: sentences joined, labelled, encoded, checked. Labelling is the last step on any file."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from webui.audio.encode import EXTENSION, MIME, AudioWriter
from webui.audio.label import GAP_SECONDS, AigcLabel, check, labelled
from webui.audio.resampling import Samples
from webui.audio.rhythm import RHYTHM_SECONDS
from webui.errors import UserError
from webui.jobs.context import Context
from webui.store.rows import ArtifactRow, Claim, JobRow, SegmentRow

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.25  # between two sentences
BLOCK = 2**16  # samples read at once
_Times = dict[int, tuple[int, int]]  # segment → start, end in ms


def segment_file(context: Context, job: JobRow, idx: int) -> Path:
    return context.output(job, f"segments/{idx:05d}.wav")


def publish(context: Context, claim: Claim) -> None:
    """Write the result and end the job. Repeating it after a crash gives the same file.

    Raises LeaseLost, UserError LABEL_MISSING, DISK_FULL (as OSError).
    """
    job = claim.job
    done = [segment for segment in context.jobs.segments(None, job.uid) if segment.state == "done"]
    if not done:
        context.queue.finish(claim.lease)
        return
    files = [segment_file(context, job, segment.idx) for segment in done]
    times = _times(done, files) if job.kind == "speak" else {}
    artifact, seconds = _write(context, job, _timeline(done, files, times))
    shift = round(_lead(context) * 1000)
    shifted = {idx: (start + shift, end + shift) for idx, (start, end) in times.items()}
    state = context.queue.finish(claim.lease, artifacts=[artifact], times=shifted, duration_ms=round(seconds * 1000))
    if state == "done":  # a partial one keeps them: a retry makes only the missing sentences
        shutil.rmtree(files[0].parent, ignore_errors=True)


def _lead(context: Context) -> float:
    """Seconds of label before the content."""
    return RHYTHM_SECONDS + GAP_SECONDS if context.settings.label_position in ("start", "both") else 0.0


def _times(done: Sequence[SegmentRow], files: Sequence[Path]) -> _Times:
    """Sentences one after the other, a pause between."""
    times: _Times = {}
    at = 0.0
    for segment, file in zip(done, files, strict=True):
        seconds = soundfile.info(file).duration
        times[segment.idx] = (round(at * 1000), round((at + seconds) * 1000))
        at += seconds + PAUSE_SECONDS
    return times


def _timeline(done: Sequence[SegmentRow], files: Sequence[Path], times: _Times) -> tuple[int, Iterator[Samples]]:
    """(rate, blocks): every segment at its time (a converted one where the original was), silence between."""
    rate = soundfile.info(files[0]).samplerate

    def blocks() -> Iterator[Samples]:
        written = 0
        for segment, file in zip(done, files, strict=True):
            start = times.get(segment.idx, (segment.start_ms, 0))[0]
            silence = np.zeros(max(0, round(start * rate / 1000) - written), np.float32)
            written += len(silence)
            yield silence
            for block in soundfile.blocks(file, BLOCK, dtype="float32"):
                written += len(block)
                yield block

    return rate, blocks()


def _write(context: Context, job: JobRow, content: tuple[int, Iterator[Samples]]) -> tuple[ArtifactRow, float]:
    """The labelled and checked file, and its length in seconds."""
    rate, blocks = content
    audio_format = job.params.get("format", "wav")
    path = context.output(job, f"speech{EXTENSION[audio_format]}")
    position = context.settings.label_position
    label = AigcLabel(context.settings.producer_code, job.uid)
    samples = 0
    with AudioWriter(path, audio_format, rate, label.json()) as writer:
        for block in labelled(blocks, rate, position):
            writer.write(block)
            samples += len(block)
    try:
        check(path, label, position, rate)
    except UserError:
        path.unlink()  # a file without its label is never offered
        raise
    return _artifact(context, path, audio_format, label), samples / rate


def _artifact(context: Context, path: Path, audio_format: str, label: AigcLabel) -> ArtifactRow:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return ArtifactRow(
        "output",
        context.relative(path),
        digest.hexdigest(),
        path.stat().st_size,
        MIME[audio_format],
        label.produce_id,
    )
