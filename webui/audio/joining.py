"""Sentences joined to one speech: matched loudness, a pause by the punctuation, no clicks. One at a time in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from webui.audio.loudness import LoudnessMeter, speech_level
from webui.audio.resampling import Samples

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


class Joiner:
    """Takes sentences in order, whole or as they grow; gives back what may be written, and when each one is heard."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.spans: list[tuple[float, float]] = []  # start and end of each sentence, seconds
        self._written = 0
        self._tail = np.zeros(0, np.float32)  # the end of the sentence before, where the next may fade into it
        self._pause = 0.0  # seconds after the sentence before
        self._silence = 0  # samples of it that are still to be written
        self._growing_from: int | None = None  # sample where the growing sentence begins
        self._growing_gain: float | None = None
        self._grown = LoudnessMeter(rate)  # of all growing sentences

    def add(self, samples: Samples, text: str) -> Samples:
        """A sentence (float32 in -1…1, shape (n,)) and what it says; the speech up to (almost) its end."""
        sentence = _levelled(_trimmed(samples, self.rate), self.rate)
        fade = round((FADE_SECONDS if self._pause else CROSS_FADE_SECONDS) * self.rate)
        sentence = _faded(sentence, min(fade, len(sentence) // 2))
        silence = self.pause()
        ready = self._cross_faded(sentence) if self._overlaps() else self._placed(sentence)
        self._pause_after(text)
        return np.concatenate((silence, self._kept_back(ready)))

    def grow(self, samples: Samples) -> Samples:
        """The next piece of a sentence that is still being made, to be heard at once.

        The sentence's level cannot be known yet: its gain is that of all that has grown so far.
        """
        before = np.concatenate((self.finish(), self.pause()))
        if self._growing_from is None:
            self._growing_from, self._growing_gain = self._written, None
        self._grown.feed(samples)
        level = self._grown.level()
        if level is not None and len(samples):
            peak = max(float(np.abs(samples).max()), 1e-9)
            self._growing_gain = min(self._growing_gain or _gain(level, peak), MOST_PEAK / peak)
        self._written += len(samples)
        return np.concatenate((before, samples * np.float32(self._growing_gain or 1.0)))

    def end(self, text: str) -> None:
        """The growing sentence is complete, and this is what it says."""
        if self._growing_from is not None:
            self._span(self._growing_from, self._written - self._growing_from)
            self._growing_from = None
            self._pause_after(text)

    def pause(self) -> Samples:
        """The silence after the last sentence, for who does not wait until the next one is there."""
        silence, self._silence = np.zeros(self._silence, np.float32), 0
        self._written += len(silence)
        return silence

    def finish(self) -> Samples:
        """The rest of the last sentence."""
        rest, self._tail = self._tail, self._tail[:0]
        self._written += len(rest)
        return rest

    def _overlaps(self) -> bool:
        return bool(self.spans) and not self._pause

    def _pause_after(self, text: str) -> None:
        self._pause = pause_after(text)
        self._silence = round(self._pause * self.rate)

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
        keep = 0 if self._pause else min(len(ready), round(CROSS_FADE_SECONDS * self.rate))
        self._tail = ready[len(ready) - keep :]
        self._written += len(ready) - keep
        return ready[: len(ready) - keep]


def join(sentences: Iterable[tuple[Samples, str]], rate: int) -> Iterator[Samples]:
    """Sentences (waveform at `rate` Hz, text) as one speech, in pieces."""
    joiner = Joiner(rate)
    for samples, text in sentences:
        yield joiner.add(samples, text)
    yield joiner.finish()


def pause_after(text: str) -> float:
    """Seconds of silence after a sentence, by how it ends; 0 where it was cut without punctuation."""
    return next((seconds for pattern, seconds in _PAUSES if pattern.search(text[-20:])), 0.0)


def _trimmed(samples: Samples, rate: int) -> Samples:
    """Without the silence around it; all-silent sentences become empty."""
    level = speech_level(samples, rate)
    if level is None:
        return samples[:0]
    loud = np.flatnonzero(np.abs(samples) > level * SILENCE)
    edge = round(EDGE_SECONDS * rate)
    return samples[max(0, loud[0] - edge) : loud[-1] + 1 + edge]


def _levelled(samples: Samples, rate: int) -> Samples:
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
