"""Speech while it is made: the label first, then every sentence as soon as it is there.

What is streamed is unchecked, as a stream must be; the stored file of the same job is labelled and checked.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from webui.audio.encode import MIME, AudioFormat, AudioWriter
from webui.audio.joining import pause_after
from webui.audio.label import GAP_SECONDS, AigcLabel
from webui.audio.resampling import Samples
from webui.audio.rhythm import rhythm
from webui.errors import UserError
from webui.jobs.changes import ChangeFeed
from webui.settings import Settings
from webui.store.jobs import JobStore
from webui.store.rows import JobRow, SegmentRow

LOOK_AGAIN_S = 30.0
BLOCK = 2**16  # samples read at once


class SpeechStreams:
    def __init__(self, settings: Settings, store: JobStore, feed: ChangeFeed, stopping: threading.Event) -> None:
        self._settings = settings
        self._store = store
        self._feed = feed
        self._stopping = stopping

    @staticmethod
    def mime(form: AudioFormat) -> str:
        return MIME[form]

    async def stream(self, owner_id: int, uid: str, form: AudioFormat, rate: int) -> AsyncIterator[bytes]:
        """Encoded pieces, until the job has ended. `rate`: of the model's speech, Hz. Raises what failed the job,
        where nothing was spoken yet."""
        outbox = io.BytesIO()
        label = AigcLabel(self._settings.producer_code, uid).json()
        writer: AudioWriter | None = None
        spoken = 0
        while True:
            since = await asyncio.to_thread(self._feed.now)
            job = await asyncio.to_thread(self._store.get, owner_id, uid)
            segments = await asyncio.to_thread(self._store.segments, owner_id, uid)
            for segment in _next(segments, spoken, job):
                if writer is None:
                    writer = AudioWriter(outbox, form, rate, label)
                    writer.write(np.concatenate([rhythm(rate), np.zeros(round(GAP_SECONDS * rate), np.float32)]))
                if segment.state == "done":
                    await asyncio.to_thread(self._write, writer, job, segment, rate)
                    yield _taken(outbox)
                spoken = segment.idx + 1
            if job.final or self._stopping.is_set():
                break
            await self._feed.wait_async(owner_id, since, LOOK_AGAIN_S)
        if writer is None:
            raise self._nothing(job)
        await asyncio.to_thread(writer.close)
        yield _taken(outbox)

    def _nothing(self, job: JobRow) -> UserError:
        """Why a stream has no sound at all."""
        if job.error:
            return UserError(job.error["code"], **job.error["params"])
        return UserError("JOB_CANCELLED") if job.final else UserError("UNAVAILABLE", reason={"code": "STOPPING"})

    def _write(self, writer: AudioWriter, job: JobRow, segment: SegmentRow, rate: int) -> None:
        path = self._settings.outputs / job.uid / "segments" / f"{segment.idx:05d}.wav"
        for block in self._blocks(path, job, segment):
            writer.write(block)
        writer.write(np.zeros(round(pause_after(segment.source) * rate), np.float32))

    def _blocks(self, path: Path, job: JobRow, segment: SegmentRow) -> Iterator[Samples]:
        """The sentence's samples: its own file, or, once the job is published, its place in the whole."""
        try:
            yield from soundfile.blocks(path, BLOCK, dtype="float32")
        except soundfile.LibsndfileError:
            final = self._store.segments(job.owner_id, job.uid)[segment.idx]
            output = self._store.artifacts(job.owner_id, job.uid, "output")[0]
            with soundfile.SoundFile(self._settings.data / output.path) as whole:
                whole.seek(round(final.start_ms / 1000 * whole.samplerate))
                yield whole.read(round((final.end_ms - final.start_ms) / 1000 * whole.samplerate), dtype="float32")


def _next(segments: Sequence[SegmentRow], spoken: int, job: JobRow) -> list[SegmentRow]:
    """The segments that follow without a gap; those that failed are passed over."""
    ready = []
    for segment in segments[spoken:]:
        if segment.state == "pending" and not job.final:
            break
        ready.append(segment)
    return ready


def _taken(outbox: io.BytesIO) -> bytes:
    data = outbox.getvalue()
    outbox.seek(0)
    outbox.truncate()
    return data
