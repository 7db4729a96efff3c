"""What an engine answered, looked at before anything of it is kept: a wrong answer costs its segment, not the job."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from webui.engines.base import EngineError, Recognition, Waveform

MOST_SECONDS = 1e6  # no time in a recording is beyond


def checked_recognitions(found: Sequence[Recognition], batch: Sequence[Waveform]) -> list[Recognition]:
    """`found` as it is. Raises EngineError for a wrong count, a lone surrogate in a text, times out of range."""
    if len(found) != len(batch):
        raise EngineError("ENGINE_FAILED", f"{len(found)} results for {len(batch)} segments")
    if not all(map(_can_be_kept, found)):
        raise EngineError("ENGINE_FAILED", "a lone surrogate in a text, or a NaN or infinite number")
    return list(found)


def checked_waveform(piece: Waveform) -> Waveform:
    """`piece` as it is. Raises EngineError for non-finite samples, which would become noise or silence."""
    if not np.isfinite(piece.samples).all():
        raise EngineError("ENGINE_FAILED", "non-finite samples")
    return piece


def _can_be_kept(found: Recognition) -> bool:
    texts = (found.text, found.text_raw, found.language or "", found.speaker or "", *(w.text for w in found.words))
    numbers = [number for word in found.words for number in (word.start, word.end, word.confidence or 0)]
    return all(map(_is_text, texts)) and all(abs(number) < MOST_SECONDS for number in (*numbers, found.confidence or 0))


def _is_text(text: str) -> bool:
    """Whether it has no lone surrogate, which neither SQLite nor UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
