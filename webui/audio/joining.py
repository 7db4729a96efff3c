"""Sentences joined to one speech: matched loudness, a pause by the punctuation, no clicks. One at a time in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from webui.audio.loudness import LoudnessMeter, speech_level
from webui.audio.samples import Samples
from webui.audio.units import Hertz, Seconds

TARGET_LEVEL = 0.1  # gated RMS of every sentence, full scale = 1: -20 dBFS
MOST_GAIN, LEAST_GAIN = 4.0, 0.25  # 12 dB either way: a whisper stays softer than a shout
MOST_PEAK = 0.95
FADE_SECONDS = 0.01  # at the ends of a sentence
CROSS_FADE_SECONDS = 0.03  # where a sentence was cut without punctuation
EDGE_SECONDS = 0.03  # kept of the silence around a sentence
SILENCE = 10 ** (-40 / 20)  # below the sentence's level by so much

PARAGRAPH_PAUSE = 0.8  # seconds
_PAUSES = (
    (re.compile(r"\n\s*$"), PARAGRAPH_PAUSE),
    (re.compile(r"(?:…|\.{3})[”’」』）)\]\"']*\s*$"), 0.6),
    (re.compile(r"[。！？.!?][”’」』）)\]\"']*\s*$"), 0.45),
    (re.compile(r"[；;：:][”’」』）)\]\"']*\s*$"), 0.35),
    (re.compile(r"[，,—–][”’」』）)\]\"']*\s*$"), 0.22),
    (re.compile(r"、[”’」』）)\]\"']*\s*$"), 0.15),
)


@dataclass(frozen=True)
class Gap:
    """Silence between two sentences, seconds; `exact` where it was asked for: the quiet at their edges counts."""

    seconds: Seconds = 0.0
    exact: bool = False

    @property
    def edge(self) -> Seconds:
        """Seconds of a sentence's own silence that may stay beside it; two edges that cross fade are as long as one."""
        if not self.exact:
            return EDGE_SECONDS
        return min(EDGE_SECONDS, self.seconds / 2) if self.seconds else CROSS_FADE_SECONDS / 2


class Joiner:
    """Takes sentences in order, whole or as they grow; gives back what may be written, and when each one is heard.

    `before` and `after` are the seconds of silence that the text itself asks for around a sentence; without them its
    end decides.
    """

    def __init__(self, rate: Hertz) -> None:
        self.rate = rate
        self.spans: list[tuple[Seconds, Seconds]] = []  # start and end of each sentence, seconds
        self._written = 0
        self._tail = np.zeros(0, np.float32)  # the end of the sentence before, where the next may fade into it
        self._gap = Gap()  # after the sentence before
        self._silence = 0  # samples of it that are still to be written
        self._reserve = 0  # samples of these that the quiet start of the next sentence may take the place of
        self._growing_from: int | None = None  # sample where the growing sentence begins
        self._growing_gain: float | None = None
        self._grown = LoudnessMeter(rate)  # of all growing sentences
        self._held = np.zeros(0, np.float32)  # quiet of the growing sentence, perhaps a part of an exact gap
        self._unheard = False  # an exact gap waits for its first sound

    def add(self, samples: Samples, text: str, before: float | None = None, after: float | None = None) -> Samples:
        """A sentence (float32 in -1…1, shape (n,)) and what it says; the speech up to (almost) its end."""
        self._ask(before)
        following = _gap_after(text, after)
        sentence, lead, trail = _trimmed(samples, self.rate, self._gap.edge, following.edge)
        sentence = _levelled(sentence, self.rate)
        fade = round((FADE_SECONDS if self._gap.seconds else CROSS_FADE_SECONDS) * self.rate)
        sentence = _faded(sentence, min(fade, len(sentence) // 2))
        silence = np.concatenate((self.pause(), self._silent(lead)))
        ready = self._cross_faded(sentence) if self._overlaps() else self._placed(sentence)
        self._leave(following, trail)
        return np.concatenate((silence, self._kept_back(ready)))

    def grow(self, samples: Samples, before: float | None = None, after: float | None = None) -> Samples:
        """The next piece of a sentence that is still being made, to be heard at once.

        The sentence's level cannot be known yet: its gain is that of all that has grown so far.
        """
        opening = samples[:0]
        if self._growing_from is None:
            self._ask(before)
            opening = np.concatenate((self._rest(), self.pause()))
            self._growing_from, self._growing_gain, self._unheard = self._written, None, self._gap.exact
        self._grown.feed(samples)
        level = self._grown.level()
        silence, samples = self._sounding(samples, level, after)
        if level is not None and len(samples):
            peak = max(float(np.abs(samples).max()), 1e-9)
            self._growing_gain = min(self._growing_gain or _gain(level, peak), MOST_PEAK / peak)
        self._written += len(samples)
        return np.concatenate((opening, silence, samples * np.float32(self._growing_gain or 1.0)))

    def end(self, text: str, after: float | None = None) -> None:
        """The growing sentence is complete, and this is what it says."""
        if self._growing_from is not None:
            self._span(self._growing_from, self._written - self._growing_from)
            self._growing_from = None
            following = _gap_after(text, after)
            kept = len(self._held) if self._unheard else self._grown_edge(following)
            self._tail = self._held[:kept] * np.float32(self._growing_gain or 1.0)
            self._held = self._held[:0]
            self._leave(following, len(self._tail))

    def pause(self) -> Samples:
        """The silence after the last sentence, for who does not wait until the next one is there."""
        rest = self._rest() if self._gap.seconds else self._tail[:0]
        return np.concatenate((rest, self._silent(self._reserve)))

    def finish(self) -> Samples:
        """The rest of the last sentence, and the silence that was asked for after it."""
        return np.concatenate((self._rest(), self._silent(0 if self._gap.exact else self._silence)))

    def _ask(self, before: float | None) -> None:
        if before is not None:
            self._leave(Gap(before, exact=True), 0)

    def _leave(self, gap: Gap, quiet: int) -> None:
        """What follows the sentence, the last `quiet` samples of which are silence already."""
        self._gap = gap
        self._silence = max(0, round(gap.seconds * self.rate) - (quiet if gap.exact else 0))
        self._reserve = min(self._silence, round(gap.edge * self.rate)) if gap.exact else 0

    def _silent(self, left: int) -> Samples:
        """The silence that is still to be written, up to `left` samples."""
        count = max(0, self._silence - left)
        self._silence -= count
        self._written += count
        return np.zeros(count, np.float32)

    def _rest(self) -> Samples:
        rest, self._tail = self._tail, self._tail[:0]
        self._written += len(rest)
        return rest

    def _grown_edge(self, gap: Gap) -> int:
        """Samples of its own silence that a growing sentence, which fades into none, keeps beside an exact gap."""
        return round(gap.edge * self.rate) if gap.seconds else 0

    def _sounding(self, samples: Samples, level: float | None, after: float | None) -> tuple[Samples, Samples]:
        """Silence, and what of a growing sentence may be heard: beside an exact gap its quiet edges are held back."""
        none = samples[:0]
        samples, self._held = np.concatenate((self._held, samples)), none
        if not self._unheard and after is None:
            return none, samples
        loud = np.flatnonzero(np.abs(samples) > (level or np.inf) * SILENCE)
        if not len(loud):
            self._held = samples
            return none, none
        end = len(samples) if after is None else loud[-1] + 1
        self._held = samples[end:]
        if not self._unheard:
            return none, samples[:end]
        lead = min(int(loud[0]), self._grown_edge(self._gap))
        silence = self._silent(lead)
        self._growing_from, self._unheard = self._written, False
        return silence, samples[loud[0] - lead : end]

    def _overlaps(self) -> bool:
        return bool(self.spans) and not self._gap.seconds

    def _cross_faded(self, sentence: Samples) -> Samples:
        """Both are faded already: their sum is the transition."""
        start = self._written
        shared = min(len(self._tail), len(sentence), round(CROSS_FADE_SECONDS * self.rate))
        mixed = np.concatenate((self._tail, sentence[shared:]))
        mixed[len(self._tail) - shared : len(self._tail)] += sentence[:shared]
        self._span(start + len(self._tail) - shared, len(sentence))
        return mixed

    def _placed(self, sentence: Samples) -> Samples:
        self._span(self._written, len(sentence))
        return sentence

    def _span(self, start: int, length: int) -> None:
        self.spans.append((start / self.rate, (start + length) / self.rate))

    def _kept_back(self, ready: Samples) -> Samples:
        """Hold back what a sentence that follows without a pause would fade into."""
        keep = 0 if self._gap.seconds else min(len(ready), round(CROSS_FADE_SECONDS * self.rate))
        self._tail = ready[len(ready) - keep :]
        self._written += len(ready) - keep
        return ready[: len(ready) - keep]


def pause_after(text: str) -> Seconds:
    """Seconds of silence after a sentence, by how it ends; 0 where it was cut without punctuation."""
    return next((seconds for pattern, seconds in _PAUSES if pattern.search(text[-20:])), 0.0)


def _gap_after(text: str, asked: Seconds | None) -> Gap:
    return Gap(pause_after(text)) if asked is None else Gap(asked, exact=True)


def _trimmed(samples: Samples, rate: Hertz, before: Seconds, after: Seconds) -> tuple[Samples, int, int]:
    """Without the silence around it but for `before` and `after` seconds; how many samples of it stayed on each side.

    All-silent sentences become empty.
    """
    level = speech_level(samples, rate)
    if level is None:
        return samples[:0], 0, 0
    loud = np.flatnonzero(np.abs(samples) > level * SILENCE)
    start, end = max(0, loud[0] - round(before * rate)), min(len(samples), loud[-1] + 1 + round(after * rate))
    return samples[start:end], int(loud[0] - start), int(end - loud[-1] - 1)


def _levelled(samples: Samples, rate: Hertz) -> Samples:
    level = speech_level(samples, rate)
    if level is None:
        return samples
    return samples * np.float32(_gain(level, float(np.abs(samples).max())))


def _gain(level: float, peak: float) -> float:
    """What brings speech of that level to TARGET_LEVEL, within limits."""
    return min(max(TARGET_LEVEL / level, LEAST_GAIN), MOST_GAIN, MOST_PEAK / peak)


def _faded(samples: Samples, count: int) -> Samples:
    """Raised-cosine edges of `count` samples, whose overlap sums to one."""
    if not count:
        return samples
    edge = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)).astype(np.float32)
    faded = samples.copy()
    faded[:count] *= edge
    faded[-count:] *= edge[::-1]
    return faded
