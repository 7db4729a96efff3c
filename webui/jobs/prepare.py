"""The first stage of a job with a recording: all its segments at once, where somebody speaks. Needs no device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.audio import input_gain
from webui.audio.formats import Channels
from webui.audio.intake import AudioInfo, Decoding
from webui.audio.loudness import LoudnessMeter
from webui.audio.samples import to_float32
from webui.audio.units import Seconds
from webui.audio.vad import Span
from webui.audio.working_copy import WorkingCopy, WorkingCopyWriter
from webui.engines.base import DetectorSession
from webui.errors import Notice, UserError
from webui.jobs.context import Context
from webui.jobs.sound_choice import Choice, Heard, Search
from webui.store.rows import ArtifactRow, Claim, JobRow, NewSegment

RATE = 16_000  # Hz, of the working copy
PROGRESS_EVERY_S = 1.0
PIECE_S = 300.0  # of a recording that is listened to again, at a time
WORKING_COPY = "audio.wav"


class Interrupted(Exception):
    """The program is about to end: the job goes back into the queue as it was."""


def plan_recording(context: Context, claim: Claim, channels: Channels, *, silence: bool) -> None:
    """Plan the job; with `silence` a recording without speech is none the worse, but for a warning.

    Raises UserError for an input of no use, LeaseLost, Cancelled, Interrupted.
    """
    began = time.monotonic()
    job = claim.job
    copy = context.upload(job, WORKING_COPY)
    hearing = _Hearing(context, claim, _input(context, job), channels, copy)
    heard, spans, warnings = hearing.of(Choice())
    if channels == "mix" and (choice := hearing.better(heard, spans)) is not None:
        heard, spans, warnings = hearing.of(choice)
        warnings.append(choice.notice())
    if not spans and not silence:
        raise UserError("NO_SPEECH")
    if not spans:
        warnings.append(Notice("NO_SPEECH"))
    new = [NewSegment(span.start, span.end, channel) for channel, span in spans]
    context.queue.plan(
        claim.lease,
        new,
        artifacts=[ArtifactRow("playable", context.relative(copy), mime="audio/wav", bytes=copy.stat().st_size)],
        seconds=time.monotonic() - began,
        duration_ms=round(heard.seconds * 1000),
        warnings=[*job.warnings, *warnings, *_quiet_warning(heard, {channel for channel, _ in spans})],
    )


def _input(context: Context, job: JobRow) -> Path:
    found = context.jobs.artifacts(None, job.uid, "input")
    if not found:
        raise UserError("MISSING_INPUT")
    return context.settings.data / found[0].path


@dataclass
class DetectedSpeech:
    """What a recording holds; a meter per channel."""

    info: AudioInfo
    seconds: Seconds
    spans: list[tuple[int, Span]]  # with their channels
    meters: list[LoudnessMeter]


@dataclass(frozen=True)
class _Hearing:
    """A recording that may be listened to more than once; the working copy is of the last time."""

    context: Context
    claim: Claim
    source: Path
    channels: Channels
    copy: Path

    def of(self, choice: Choice) -> tuple[DetectedSpeech, list[tuple[int, Span]], list[Notice]]:
        """What was heard, the spans with their channels in the order of time, what the decoder warns of."""
        with self._decode(choice.track, self.channels == "split" or choice.channel is not None) as decoding:
            heard = _listen(self.context, self.claim, decoding, choice, self.copy)
            warnings = list(decoding.warnings)
        spans = _listen_to_the_quiet(self.context, self.claim, self.copy, heard)
        return heard, _in_time_order(spans), warnings

    def better(self, heard: DetectedSpeech, spans: list[tuple[int, Span]]) -> Choice | None:
        speech = sum(span.end - span.start for _, span in spans)
        mix = Heard(speech, input_gain.level_db(heard.meters[0]))
        watch = _Watch(self.context, self.claim, heard.seconds)
        return Search(self._decode, self.context.detector.session, watch, RATE).better(heard.info, mix)

    def _decode(self, track: int | None, apart: bool) -> Decoding:
        channels: Channels = "split" if apart else "mix"
        name = self.claim.job.file_name
        return self.context.decoder.decode(self.source, name, channels, RATE, stream=track, on_the_clock=True)


class _Watch:
    """Called often with the seconds done, looks around now and then."""

    def __init__(self, context: Context, claim: Claim, total: Seconds | None) -> None:
        self._context, self._claim, self._total = context, claim, total
        self._due = time.monotonic() + PROGRESS_EVERY_S

    def __call__(self, done: Seconds) -> None:
        if time.monotonic() >= self._due:
            _look_around(self._context, self._claim, done, self._total)
            self._due = time.monotonic() + PROGRESS_EVERY_S


def _listen(context: Context, claim: Claim, decoding: Decoding, choice: Choice, copy: Path) -> DetectedSpeech:
    """Write the working copy, find speech and measure how loud it is, block by block."""
    heard = DetectedSpeech(decoding.info, 0.0, [], [])
    sessions: list[DetectorSession] = []
    writer: WorkingCopyWriter | None = None
    watch = _Watch(context, claim, decoding.info.seconds)
    try:
        for block in choice.blocks(decoding):
            if writer is None:
                writer = WorkingCopyWriter(copy, RATE, block.shape[1])
                sessions = [context.detector.session() for _ in range(block.shape[1])]
                heard.meters = [input_gain.quiet_meter(RATE) for _ in sessions]
            _write(writer, block, claim.job.file_name)
            for channel, session in enumerate(sessions):
                heard.spans += [(channel, span) for span in session.feed(block[:, channel])]
                heard.meters[channel].feed(to_float32(block[:, channel]))
            watch(writer.seconds)
        if writer is None:
            raise UserError("EMPTY_AUDIO", file=claim.job.file_name)
        for channel, session in enumerate(sessions):
            heard.spans += [(channel, span) for span in session.finish()]
        writer.close()
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    heard.seconds = writer.seconds
    return heard


def _listen_to_the_quiet(context: Context, claim: Claim, copy: Path, heard: DetectedSpeech) -> list[tuple[int, Span]]:
    """The spans, those of channels that are too quiet found once more with the channel raised.

    What a raised channel holds while another speaks aloud is that one's crosstalk.
    """
    spans = heard.spans
    aloud = [span for channel, span in heard.spans if input_gain.gain(heard.meters[channel]) == 1]
    for channel, meter in enumerate(heard.meters):
        if (factor := input_gain.gain(meter)) > 1:
            again = _listen_again(context, claim, WorkingCopy(copy), channel, factor)
            own = [(channel, span) for span in again if _shared(span, aloud) < (span.end - span.start) / 2]
            spans = [each for each in spans if each[0] != channel] + own
    return spans


def _shared(span: Span, others: list[Span]) -> float:
    """Seconds of `span` in which one of `others`, which do not overlap, speaks too."""
    return sum(max(0.0, min(span.end, other.end) - max(span.start, other.start)) for other in others)


def _listen_again(context: Context, claim: Claim, copy: WorkingCopy, channel: int, factor: float) -> list[Span]:
    session, spans, at = context.detector.session(), list[Span](), 0.0
    while at < copy.seconds:
        _look_around(context, claim, copy.seconds, copy.seconds)
        samples = copy.read(at, at + PIECE_S, channel)
        spans += session.feed(input_gain.amplified(samples, factor))
        at += PIECE_S
    return spans + session.finish()


def _quiet_warning(heard: DetectedSpeech, speaking: set[int]) -> list[Notice]:
    """The warning that a recording is too quiet; of a call's sides one on which nobody speaks does not count."""
    levels = [
        input_gain.level_db(meter)
        for channel, meter in enumerate(heard.meters)
        if input_gain.gain(meter) > 1 and (channel in speaking or not speaking)
    ]
    lowest = min((level for level in levels if level is not None), default=None)
    return [] if lowest is None else [Notice("RECORDING_QUIET", {"level": round(lowest)})]


def _write(writer: WorkingCopyWriter, block: object, name: str) -> None:
    try:
        writer.write(block)  # type: ignore[arg-type]
    except ValueError:  # many channels, each kept: more than a WAV file holds
        raise UserError("TOO_LONG", file=name, hours=round(writer.seconds / 3600, 1)) from None


def _look_around(context: Context, claim: Claim, done: float, total: float | None) -> None:
    if context.stopping():
        raise Interrupted
    fraction = min(1.0, done / total) if total else 0.0
    context.queue.progress(claim.lease, fraction, round((total or done) * 1000))


def _in_time_order(spans: Sequence[tuple[int, Span]]) -> list[tuple[int, Span]]:
    return sorted(spans, key=lambda item: (item[1].start, item[0]))
