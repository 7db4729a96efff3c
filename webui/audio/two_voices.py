"""Whether a recording seems to hold two voices, as far as their pitch tells.

Of people at one microphone little but the pitch differs dependably over a few seconds: mean spectra tell recordings
apart rather than people, and voices of like pitch (two men, two women) pass. A speaker model would tell those too.
Figures: `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import numpy as np

from webui.audio.pitch import HIGHEST, Floats, track_pitch
from webui.audio.samples import Samples
from webui.audio.units import Hertz

CLEAR = 0.6  # octaves × root of seconds; what one expressive voice hardly reaches
_HOP_SECONDS = 0.01
_BLOCK_SECONDS = 0.2  # of voiced sound
_LEAST_BLOCKS = 6  # of either voice


def two_voices(samples: Samples, rate: Hertz) -> bool:
    """True where a stretch of the recording has another pitch than the rest, too far off for one voice."""
    pitch = track_pitch(np.asarray(samples, np.float64), rate, round(_HOP_SECONDS * rate))
    return contrast(pitch) > CLEAR


def contrast(pitch: Floats) -> float:
    """How far the pitch (Hz, a frame every 10 ms, 0 where unvoiced) of one stretch lies from that of the rest.

    The distance of the means in octaves, times the root of s1·s2 / (s1 + s2) for s1 and s2 seconds of voiced
    sound, so that a short outburst counts less than a person who goes on speaking; the largest of all stretches.
    """
    voiced = np.log2(pitch[(pitch > 0) & (pitch < 0.98 * HIGHEST)])  # noise ends at the highest
    size = round(_BLOCK_SECONDS / _HOP_SECONDS)
    count = len(voiced) // size
    blocks = np.median(voiced[: count * size].reshape(count, size), axis=1)
    total = np.concatenate(([0.0], np.cumsum(blocks)))
    start, end = np.triu_indices(count + 1, _LEAST_BLOCKS)
    start, end = (place[count - (end - start) >= _LEAST_BLOCKS] for place in (start, end))
    inside, outside = end - start, count - (end - start)
    part = total[end] - total[start]
    distance = np.abs(part / inside - (total[-1] - part) / outside)
    return float((distance * np.sqrt(inside * outside / max(count, 1) * _BLOCK_SECONDS)).max(initial=0.0))
