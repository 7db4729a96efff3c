"""Speech while it is made: the label first, then every sentence as soon as it is there, or as it grows.

A model that streams is heard before its sentence is finished. Whole sentences are joined as in the stored file;
one that grows keeps the silence around it and gets its level from what was heard before.
What is streamed is unchecked, as a stream must be; the stored file of the same job is labelled and checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from webui.audio.aigc_label.audible import audible_label
from webui.audio.aigc_label.label import GAP_SECONDS, AigcLabel
from webui.audio.encode import AudioWriter
from webui.audio.formats import AUDIO_FORMATS, AudioFormat
from webui.audio.joining import Joiner
from webui.audio.samples import Samples
from webui.audio.units import Hertz, Seconds
from webui.errors import Notice, UserError
from webui.jobs.changes import ChangeFeed
from webui.jobs.live import LiveReader, live_file, segment_name
from webui.settings import Settings
from webui.store.jobs import JobStore
from webui.store.rows import JobRow, SegmentRow
from webui.store.states import DONE, PENDING
from webui.text import pauses

LOOK_AGAIN_S = 30.0


class SpeechStreams:
    def __init__(self, settings: Settings, store: JobStore, feed: ChangeFeed, stopping: threading.Event) -> None:
        self._settings = settings
        self._store = store
        self._feed = feed
        self._stopping = stopping

    @staticmethod
    def mime(file_format: AudioFormat) -> str:
        return AUDIO_FORMATS[file_format].mime

    async def stream(self, owner_id: int, uid: str, file_format: AudioFormat, rate: Hertz) -> AsyncIterator[bytes]:
        """Encoded pieces, until the job has ended. `rate`: of the model's speech, Hz. Raises what failed the job,
        where nothing was spoken yet."""
        player = _Player(self._settings, self._store, uid, file_format, rate)
        spoken = 0
        try:
            while True:
                since = await asyncio.to_thread(self._feed.now)
                job = await asyncio.to_thread(self._store.get, owner_id, uid)
                segments = await asyncio.to_thread(self._store.segments, owner_id, uid)
                for segment in _audible(segments[spoken:], job):
                    last = segment.idx == segments[-1].idx
                    if piece := await asyncio.to_thread(player.play, job, segment, last=last):
                        yield piece
                    spoken += segment.state != PENDING
                if job.final or self._stopping.is_set():
                    break
                await self._feed.wait_async(owner_id, since, LOOK_AGAIN_S)
            if not player.begun:
                raise self._nothing(job)
            yield await asyncio.to_thread(player.finish)
        finally:
            player.close()

    def _nothing(self, job: JobRow) -> UserError:
        """Why a stream has no sound at all."""
        if job.error:
            return job.error.as_error()
        return UserError("JOB_CANCELLED") if job.final else UserError("UNAVAILABLE", reason=Notice("STOPPING"))


class _Player:
    """Encodes a job's segments one after the other, each as far as it is there."""

    def __init__(self, settings: Settings, store: JobStore, uid: str, file_format: AudioFormat, rate: Hertz) -> None:
        self._settings, self._store = settings, store
        self._file_format, self._rate = file_format, rate
        self._label = AigcLabel(settings.producer_code, uid).json()
        self._joiner = Joiner(rate)
        self._outbox = io.BytesIO()
        self._writer: AudioWriter | None = None
        self._live: LiveReader | None = None

    @property
    def begun(self) -> bool:
        """Whether anything was to be heard."""
        return self._writer is not None

    def play(self, job: JobRow, segment: SegmentRow, *, last: bool) -> bytes:
        """What there is of the segment and was not played before, encoded; before the first sound the label."""
        for block in self._new(job, segment):
            self._write(block)
        if segment.state != PENDING:
            self.close()
            paused = pauses.read(segment.source)
            self._joiner.end(paused.text, paused.after)
        if segment.state == DONE and not last:
            self._write(self._joiner.pause())
        return _taken(self._outbox)

    def finish(self) -> bytes:
        """The encoder's rest."""
        if self._writer is not None:
            self._write(self._joiner.finish())
            self._writer.close()
        return _taken(self._outbox)

    def close(self) -> None:
        """Let the segment's file go."""
        if self._live is not None:
            self._live.close()
            self._live = None

    def _write(self, samples: Samples) -> None:
        if self._writer is None:
            self._writer = AudioWriter(self._outbox, self._file_format, self._rate, self._label)
            gap = np.zeros(round(GAP_SECONDS * self._rate), np.float32)
            self._writer.write(np.concatenate([audible_label(self._rate), gap]))
        self._writer.write(samples)

    def _new(self, job: JobRow, segment: SegmentRow) -> Iterator[Samples]:
        """What may be heard now: of the growing file where there is one, else, once it is done, the whole sentence."""
        path = self._settings.outputs / job.uid / segment_name(segment.idx)
        paused = pauses.read(segment.source)
        if self._live is None:
            with contextlib.suppress(FileNotFoundError):
                self._live = LiveReader(live_file(path))
        if self._live is not None:
            for samples in self._live.new():
                yield self._joiner.grow(samples, paused.before, paused.after)
        elif segment.state == DONE:
            yield self._joiner.add(self._whole(path, job, segment), paused.text, paused.before, paused.after)

    def _whole(self, path: Path, job: JobRow, segment: SegmentRow) -> Samples:
        """The sentence's samples: its own file, or, once the job is published, its place in the whole."""
        try:
            return _read(path)
        except soundfile.LibsndfileError:
            final = self._store.segments(job.owner_id, job.uid)[segment.idx]
            outputs = self._store.artifacts(job.owner_id, job.uid, "output")
            if not outputs:  # the voice's consent was withdrawn meanwhile
                return np.zeros(0, np.float32)
            return _read(self._settings.data / outputs[0].path, final.start, final.end)


def _read(path: Path, start: Seconds = 0.0, end: Seconds | None = None) -> Samples:
    """A WAV file, or a part of it (seconds)."""
    with soundfile.SoundFile(path) as file:
        file.seek(round(start * file.samplerate))
        return file.read(-1 if end is None else round((end - start) * file.samplerate), dtype="float32")


def _audible(segments: Sequence[SegmentRow], job: JobRow) -> Iterator[SegmentRow]:
    """The segments that have ended, without a gap, and the one after them, which may be sounding already."""
    for segment in segments:
        if segment.state == PENDING and job.final:
            return
        yield segment
        if segment.state == PENDING:
            return


def _taken(outbox: io.BytesIO) -> bytes:
    data = outbox.getvalue()
    outbox.seek(0)
    outbox.truncate()
    return data
