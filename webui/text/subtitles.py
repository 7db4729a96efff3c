"""Subtitles from a transcript: SRT and WebVTT.

Rules: at most two lines of 42 narrow or 20 wide characters, 1 to 7 seconds, broken at punctuation where
possible, never overlapping. The best breaks of a segment are found by dynamic programming over its tokens.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from webui.text.transcript import WIDE, TranscriptSegment

NARROW_PER_LINE, WIDE_PER_LINE = 42, 20  # characters
MOST_SECONDS, LEAST_SECONDS = 7.0, 1.0
PAUSE_SECONDS = 0.6  # a silence that a subtitle should not bridge

# A token: a Latin word or number, or one wide character; openers before and closing marks after it belong to it.
_OPENERS = r"[\s“‘「『（(\[《【〈¿¡]*"
_CLOSERS = r"[^\w\s“‘「『（(\[《【〈¿¡]*\s*"
_TOKEN = re.compile(
    rf"{_OPENERS}(?:{WIDE.pattern}|(?:(?!{WIDE.pattern})\w)+(?:['’.,:/-](?:(?!{WIDE.pattern})\w)+)*){_CLOSERS}|\S+\s*"
)
_SENTENCE_END = re.compile(r"[。！？!?…][”’」』）)\]》\"']*\s*$|\.[”’)\]\"']*\s*$")
_CLAUSE_END = re.compile(r"[，、；：,;:—–][”’」』）)\]》\"']*\s*$")

# Costs of a subtitle, of which a segment's sum is the least.
_EACH, _MID_CLAUSE, _AT_CLAUSE, _BRIDGES_SENTENCE, _BRIDGES_PAUSE, _TOO_SHORT = 1.0, 2.0, 0.3, 0.6, 2.0, 1.5


@dataclass(frozen=True)
class Cue:
    """One subtitle; times in seconds. `speaker`: where it differs from the subtitle before."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None = None


@dataclass(frozen=True)
class _Token:
    text: str
    start: float
    end: float
    width: float  # of a line, including the space behind it


def cues(segments: Sequence[TranscriptSegment]) -> list[Cue]:
    """The subtitles of a transcript, by time."""
    found: list[Cue] = []
    for segment in sorted(segments, key=lambda segment: segment.start):
        tokens = _tokens(segment)
        found += [_cue(tokens[first:last], segment.speaker) for first, last in _divide(tokens)]
    return _with_speaker_changes(_without_overlap(sorted(found, key=lambda cue: cue.start)))


def srt(segments: Sequence[TranscriptSegment]) -> str:
    """SubRip. Marks that players would take for formatting are made full-width."""
    blocks = []
    for number, cue in enumerate(cues(segments), 1):
        lines = [_srt_text(line) for line in cue.lines]
        if cue.speaker:
            lines[0] = f"{_srt_text(cue.speaker)}: {lines[0]}"
        blocks.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n" + "\n".join(lines) + "\n")
    return "\n".join(blocks)


def vtt(segments: Sequence[TranscriptSegment]) -> str:
    """WebVTT, escaped; speakers as voice spans."""
    blocks = ["WEBVTT\n"]
    for cue in cues(segments):
        text = "\n".join(_vtt_text(line) for line in cue.lines)
        if cue.speaker:
            text = f"<v {_vtt_text(cue.speaker)}>{text}"
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def _tokens(segment: TranscriptSegment) -> list[_Token]:
    text = " ".join(segment.text.split())
    times = _character_times(text, segment)
    tokens = []
    for match in _TOKEN.finditer(text):
        start, end = times[match.start()], times[match.start() + len(match[0].rstrip())]
        tokens.append(_Token(match[0], start, max(start, end), _width(match[0])))
    return tokens


def _character_times(text: str, segment: TranscriptSegment) -> list[float]:
    """When each character begins, and last when the text ends.

    Words of the model are matched with the text (which ITN or a person may have changed); in between, and
    where there are none, time runs evenly.
    """
    known: dict[int, float] = {0: segment.start, len(text): max(segment.start, segment.end)}
    letters = [(character.casefold(), word) for word in segment.words for character in word.text.strip()]
    spoken = "".join(character[:1] for character, _ in letters)
    matcher = difflib.SequenceMatcher(
        None, spoken, text.casefold() if len(text.casefold()) == len(text) else text, False
    )
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            at, (_, word) = block.b + offset, letters[block.a + offset]
            first = block.a + offset == 0 or letters[block.a + offset - 1][1] is not word
            last = block.a + offset == len(letters) - 1 or letters[block.a + offset + 1][1] is not word
            if first:
                known[at] = word.start
            if last:
                known.setdefault(at + 1, word.end)
    return _filled(known, len(text))


def _filled(known: dict[int, float], length: int) -> list[float]:
    """Linear between the known places; never backwards."""
    times = [0.0] * (length + 1)
    places = sorted(known)
    latest = known[0]
    for here, there in zip(places, places[1:], strict=False):
        begin = max(latest, known[here])
        finish = max(begin, known[there])
        for at in range(here, there + 1):
            times[at] = begin + (finish - begin) * (at - here) / (there - here)
        latest = begin
    return times


def _divide(tokens: Sequence[_Token]) -> list[tuple[int, int]]:
    """Where to break a segment's tokens: (first, last) of each subtitle, at the least cost."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(tokens) + 1):
        options = []
        for first in range(last - 1, -1, -1):
            if last - first > 1 and not _fits(tokens[first:last]):
                break
            options.append((best[first][0] + _cost(tokens, first, last), first))
        best.append(min(options))
    pairs = []
    last = len(tokens)
    while last:
        first = best[last][1]
        pairs.append((first, last))
        last = first
    return pairs[::-1]


def _fits(tokens: Sequence[_Token]) -> bool:
    return tokens[-1].end - tokens[0].start <= MOST_SECONDS and _line_break(tokens) is not None


def _cost(tokens: Sequence[_Token], first: int, last: int) -> float:
    cost = _EACH
    if tokens[last - 1].end - tokens[first].start < LEAST_SECONDS:
        cost += _TOO_SHORT
    if last < len(tokens) and not _pause_after(tokens, last - 1):
        cost += _break_cost(tokens[last - 1].text, _AT_CLAUSE, _MID_CLAUSE)
    for at in range(first, last - 1):
        cost += _BRIDGES_SENTENCE * bool(_SENTENCE_END.search(tokens[at].text))
        cost += _BRIDGES_PAUSE * _pause_after(tokens, at)
    return cost


def _break_cost(text: str, at_clause: float, elsewhere: float) -> float:
    if _SENTENCE_END.search(text):
        return 0.0
    return at_clause if _CLAUSE_END.search(text) else elsewhere


def _pause_after(tokens: Sequence[_Token], at: int) -> bool:
    return tokens[at + 1].start - tokens[at].end > PAUSE_SECONDS


def _line_break(tokens: Sequence[_Token]) -> int | None:
    """How many tokens the first line takes (all: one line is enough); None where two lines are too few."""
    total = sum(token.width for token in tokens)
    if total - _space_behind(tokens[-1]) <= 1:
        return len(tokens)
    best: tuple[float, int] | None = None
    before = 0.0
    for count in range(1, len(tokens)):
        before += tokens[count - 1].width
        after = total - before - _space_behind(tokens[-1])
        if before - _space_behind(tokens[count - 1]) <= 1 and after <= 1:
            cost = abs(before - after) + _break_cost(tokens[count - 1].text, 0.1, 0.5)
            best = min(best or (cost, count), (cost, count))
    return best[1] if best else None


def _cue(tokens: Sequence[_Token], speaker: str | None) -> Cue:
    split = _line_break(tokens) or len(tokens)
    lines = ["".join(token.text for token in part).strip() for part in (tokens[:split], tokens[split:])]
    start, end = tokens[0].start, tokens[-1].end
    return Cue(start, min(end, start + MOST_SECONDS), tuple(line for line in lines if line), speaker)


def _without_overlap(found: Sequence[Cue]) -> list[Cue]:
    """Give each its least time, later ones waiting for it where speakers talk at once."""
    moved: list[Cue] = []
    for cue in found:
        start = max(cue.start, moved[-1].start + LEAST_SECONDS) if moved else cue.start
        end = min(max(cue.end, start + LEAST_SECONDS), start + MOST_SECONDS)
        if moved and moved[-1].end > start:
            moved[-1] = replace(moved[-1], end=start)
        moved.append(replace(cue, start=start, end=end))
    return moved


def _with_speaker_changes(found: Sequence[Cue]) -> list[Cue]:
    before: str | None = None
    marked = []
    for cue in found:
        marked.append(replace(cue, speaker=None) if cue.speaker == before else cue)
        before = cue.speaker
    return marked


def _width(text: str) -> float:
    """Share of a line."""
    return sum(1 / WIDE_PER_LINE if WIDE.match(character) else 1 / NARROW_PER_LINE for character in text)


def _space_behind(token: _Token) -> float:
    return (len(token.text) - len(token.text.rstrip())) / NARROW_PER_LINE


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _srt_text(text: str) -> str:
    return re.sub(r"<(?=[a-zA-Z/!])", "＜", text).replace("-->", "→").replace("{\\", "｛\\")


def _vtt_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
