"""The end of a speaking job: sentences joined, labelled, encoded, checked. Labelling is the last step on any file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from webui.audio.aigc_label.audible import AUDIBLE_SECONDS
from webui.audio.aigc_label.label import GAP_SECONDS, AigcLabel, check, labelled
from webui.audio.encode import AudioWriter
from webui.audio.formats import AUDIO_FORMATS, AudioFormat
from webui.audio.samples import Samples
from webui.audio.units import Seconds
from webui.disk import sha256
from webui.errors import UserError
from webui.jobs.context import Context
from webui.jobs.live import segment_name
from webui.store.rows import ArtifactRow, Claim, JobRow, SegmentRow
from webui.store.states import DONE

Sentences = Sequence[tuple[SegmentRow, Path]]  # with their WAV files


class Content(Protocol):
    """The sentences of a job as one sound."""

    @property
    def rate(self) -> int: ...

    def blocks(self) -> Iterator[Samples]: ...

    def times(self, lead: Seconds, /) -> Mapping[int, tuple[Seconds, Seconds]]:
        """Segment → where it is heard, in seconds of the file; after `blocks`. `lead`: seconds before it all.

        A segment that is not in it keeps its times.
        """
        ...


def segment_file(context: Context, job: JobRow, idx: int) -> Path:
    return context.output(job, segment_name(idx))


def drop_segment_files(context: Context, job: JobRow) -> None:
    shutil.rmtree(segment_file(context, job, 0).parent, ignore_errors=True)


def publish(
    context: Context, claim: Claim, audio_format: AudioFormat, content_of: Callable[[Sentences], Content]
) -> None:
    """Write the result and end the job. Repeating it after a crash gives the same file.

    Raises LeaseLost, UserError LABEL_MISSING, and OSError where there is no room.
    """
    job = claim.job
    done = [segment for segment in context.jobs.segments(None, job.uid) if segment.state == DONE]
    if not done:
        context.queue.finish(claim.lease)
        return
    sentences = [(segment, segment_file(context, job, segment.idx)) for segment in done]
    content = content_of(sentences)
    artifact, seconds = _write(context, job, audio_format, content)
    state = context.queue.finish(
        claim.lease,
        artifacts=[artifact],
        times=content.times(_lead(context)),
        duration_ms=round(seconds * 1000),
    )
    if state == DONE:  # a partial one keeps them: a retry makes only the missing sentences
        drop_segment_files(context, job)


def _lead(context: Context) -> Seconds:
    """Seconds of label before the content."""
    return AUDIBLE_SECONDS + GAP_SECONDS if context.settings.label_position in ("start", "both") else 0.0


def _write(context: Context, job: JobRow, audio_format: AudioFormat, content: Content) -> tuple[ArtifactRow, float]:
    """The labelled and checked file, and its length in seconds."""
    path = context.output(job, f"speech{AUDIO_FORMATS[audio_format].endings[0]}")
    position = context.settings.label_position
    label = AigcLabel(context.settings.producer_code, job.uid)
    samples = 0
    with AudioWriter(path, audio_format, content.rate, label.json()) as writer:
        for block in labelled(content.blocks(), content.rate, position):
            writer.write(block)
            samples += len(block)
    try:
        check(path, label, position, content.rate)
    except UserError:
        path.unlink()  # a file without its label is never offered
        raise
    return _artifact(context, path, audio_format, label), samples / content.rate


def _artifact(context: Context, path: Path, audio_format: AudioFormat, label: AigcLabel) -> ArtifactRow:
    return ArtifactRow(
        "output",
        context.relative(path),
        sha256(path),
        path.stat().st_size,
        AUDIO_FORMATS[audio_format].mime,
        label.produce_id,
    )
