"""Which channel or sound track of a recording is listened to, where its mix has nothing to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from webui.audio import input_gain
from webui.audio.intake import AudioInfo, Block, Decoding
from webui.audio.samples import to_float32
from webui.audio.units import Hertz, Seconds
from webui.engines.base import DetectorSession
from webui.errors import Notice, UserError

LOUDER_DB = 20.0  # than the mix: channels that cancel each other out, not two that differ
MOST_TRACKS = 8  # looked at


@dataclass(frozen=True)
class Choice:
    """One of the sound tracks, one of its channels; None for the default track, for what the job asks for."""

    track: int | None = None
    channel: int | None = None

    def blocks(self, decoding: Decoding) -> Iterator[Block]:
        for block in decoding:
            yield block if self.channel is None else block[:, self.channel : self.channel + 1]

    def notice(self) -> Notice:
        if self.channel is not None:
            return Notice("MIX_SILENT", {"channel": self.channel + 1})
        return Notice("TRACK_SILENT", {"track": (self.track or 0) + 1})


@dataclass(frozen=True)
class Heard:
    """What one channel holds: seconds of speech, dBFS of the loudest (None for silence)."""

    speech: Seconds
    level: float | None


@dataclass(frozen=True)
class Search:
    """The means: `decode` a track, its channels kept apart or mixed; `go_on` gets the seconds done, may raise."""

    decode: Callable[[int | None, bool], Decoding]
    session: Callable[[], DetectorSession]
    go_on: Callable[[Seconds], None]
    rate: Hertz

    def better(self, info: AudioInfo, mix: Heard) -> Choice | None:
        """Where somebody speaks, though nobody does in the mix, or it is next to silence; None where nobody does."""
        level = -np.inf if mix.level is None else mix.level
        if mix.speech and level >= input_gain.QUIET_DB:
            return None
        if info.channels != 1:
            channels = self._listen(None, True)
            best = _most_speech(channels)
            if best is not None and (not mix.speech or _over(channels[best], level)):
                return Choice(channel=best)
        return None if mix.speech else self._other_track(info)

    def _other_track(self, info: AudioInfo) -> Choice | None:
        tracks = [track for track in range(min(info.streams, MOST_TRACKS)) if track != info.stream]
        found = _most_speech(
            [heard for track in tracks for heard in self._listen(track, False)[:1] or [Heard(0, None)]]
        )
        return None if found is None else Choice(track=tracks[found])

    def _listen(self, track: int | None, apart: bool) -> list[Heard]:
        """What each channel holds; nothing of a track that cannot be decoded."""
        try:
            with self.decode(track, apart) as decoding:
                return self._listen_to(decoding)
        except UserError:
            return []

    def _listen_to(self, decoding: Decoding) -> list[Heard]:
        ears: list[_Ear] = []
        done = 0
        for block in decoding:
            ears = ears or [_Ear(self.session(), self.rate) for _ in range(block.shape[1])]
            for channel, ear in enumerate(ears):
                ear.feed(block[:, channel])
            done += len(block)
            self.go_on(done / self.rate)
        return [ear.finish() for ear in ears]


class _Ear:
    """One channel's detector and meter."""

    def __init__(self, session: DetectorSession, rate: Hertz) -> None:
        self._session = session
        self._meter = input_gain.quiet_meter(rate)
        self._speech = 0.0

    def feed(self, samples: Block) -> None:
        self._speech += sum(span.end - span.start for span in self._session.feed(samples))
        self._meter.feed(to_float32(samples))

    def finish(self) -> Heard:
        self._speech += sum(span.end - span.start for span in self._session.finish())
        return Heard(self._speech, input_gain.level_db(self._meter))


def _over(heard: Heard, level: float) -> bool:
    return heard.level is not None and heard.level >= level + LOUDER_DB


def _most_speech(heard: Sequence[Heard]) -> int | None:
    best = max(range(len(heard)), key=lambda at: heard[at].speech, default=None)
    return best if best is not None and heard[best].speech else None
