"""When each subtitle is shown: never two at once, none much later than its sound, each a second where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from webui.text.transcript import WIDE

NARROW_PER_LINE, WIDE_PER_LINE = 42, 20  # characters
MOST_SECONDS, LEAST_SECONDS = 7.0, 1.0
MOST_LATE = 1.0  # seconds that a subtitle may wait for the one before it
_FLASH = 0.2  # seconds that every subtitle stays, whatever else is said
_MOST_LINES, _MOST_LINES_WITH_ANSWER = 2, 3


@dataclass(frozen=True)
class Cue:
    """One subtitle; times in seconds. `speakers`: of each line, where it is to be named."""

    start: float
    end: float
    lines: tuple[str, ...]
    speakers: tuple[str | None, ...]


def line_width(text: str) -> float:
    """Share of a line."""
    wide = len(WIDE.findall(text))
    return wide / WIDE_PER_LINE + (len(text) - wide) / NARROW_PER_LINE


def placed(found: Sequence[Cue]) -> list[Cue]:
    """`found` by time, as they are shown; every line of them is in one."""
    return _named_once(_one_at_a_time(_shared(sorted(found, key=lambda cue: cue.start))))


def _shared(found: Sequence[Cue]) -> list[Cue]:
    """Neighbours that begin within a second of each other, and short answers inside a long sentence, become one."""
    shown: list[Cue] = []
    for cue in found:
        together = _together(shown[-1], cue) if shown else None
        if together is None:
            shown.append(cue)
        else:
            shown[-1] = together
    return shown


def _together(before: Cue, cue: Cue) -> Cue | None:
    answered = cue.end <= before.end and len(cue.lines) == 1
    close = cue.start < before.start + LEAST_SECONDS
    end = max(before.end, cue.end)
    joined = _joined(before, cue)
    most = _MOST_LINES_WITH_ANSWER if answered else _MOST_LINES
    if not (answered or close) or len(joined.lines) > most or end - before.start > MOST_SECONDS:
        return None
    return replace(joined, end=end)


def _joined(before: Cue, cue: Cue) -> Cue:
    """The lines of both; what one speaker goes on with stays on the line where it fits."""
    last, speaker = f"{before.lines[-1]} {cue.lines[0]}", before.speakers[-1]
    label = f"{speaker}: " if speaker else ""
    if speaker == cue.speakers[0] and line_width(label + last) <= 1:
        lines = (*before.lines[:-1], last, *cue.lines[1:])
        return replace(before, lines=lines, speakers=before.speakers + cue.speakers[1:])
    return replace(before, lines=before.lines + cue.lines, speakers=before.speakers + cue.speakers)


def _one_at_a_time(found: Sequence[Cue]) -> list[Cue]:
    shown: list[Cue] = []
    for cue in found:
        start = cue.start
        if shown:
            start = min(max(start, shown[-1].start + LEAST_SECONDS), start + MOST_LATE)
            start = max(start, shown[-1].start + _FLASH)
            shown[-1] = replace(shown[-1], end=min(shown[-1].end, start))
        end = min(max(cue.end, start + LEAST_SECONDS), start + MOST_SECONDS)
        shown.append(replace(cue, start=start, end=end))
    return shown


def _named_once(found: Sequence[Cue]) -> list[Cue]:
    """A speaker is named until another speaks."""
    before: str | None = None
    named = []
    for cue in found:
        speakers: list[str | None] = []
        for speaker in cue.speakers:
            speakers.append(None if speaker == before else speaker)
            before = speaker
        named.append(replace(cue, speakers=tuple(speakers)))
    return named
