"""Subtitles from a transcript: SRT and WebVTT.

Rules: at most two lines of 42 narrow or 20 wide characters (a third for a short answer inside a long sentence),
1 to 7 seconds where there is room, broken at punctuation where possible (`cues` says when each is shown). A segment
is cut at punctuation and pauses into pieces that fit; which of them share a subtitle is found by dynamic programming.
"""

from __future__ import annotations

import bisect
import difflib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from webui.text.cues import LEAST_SECONDS, MOST_SECONDS, NARROW_PER_LINE, WIDE_PER_LINE, Cue, line_width, placed
from webui.text.transcript import WIDE, TranscriptSegment

PAUSE_SECONDS = 0.6  # a silence that a subtitle should not bridge

# A token: a Latin word or number, or one wide character; openers before and closing marks after it belong to it.
_OPENERS = r"[\s“‘「『（(\[《【〈¿¡]{0,8}"
_CLOSERS = r"[^\w\s“‘「『（(\[《【〈¿¡]*\s*"
_TOKEN = re.compile(
    rf"{_OPENERS}(?:{WIDE.pattern}|(?:(?!{WIDE.pattern})\w)+(?:['’.,:/-](?:(?!{WIDE.pattern})\w)+)*){_CLOSERS}|\S+\s*"
)
_SENTENCE_END = re.compile(r"[。！？!?…][”’」』）)\]》\"']*\s*$|\.[”’)\]\"']*\s*$")
_CLAUSE_END = re.compile(r"[，、；：,;:—–][”’」』）)\]》\"']*\s*$")

# Costs of a subtitle, of which a segment's sum is the least.
_EACH, _ENDS_MID_CLAUSE, _ENDS_AT_CLAUSE, _BRIDGES_SENTENCE, _BRIDGES_PAUSE, _TOO_SHORT = 1.0, 2.0, 0.3, 0.6, 2.0, 1.5
_MOST_TO_MATCH = 4_000_000  # characters of the words times those of the text

_Tokens = Sequence["_Token"]


@dataclass(frozen=True)
class _Token:
    """Seconds from the start of the recording."""

    text: str
    start: float
    end: float
    width: float  # of a line, including the space behind it


def cues(segments: Sequence[TranscriptSegment]) -> list[Cue]:
    """The subtitles of a transcript, by time."""
    found: list[Cue] = []
    for segment in sorted(segments, key=lambda segment: segment.start):
        found += [_cue(part, segment.speaker) for part in _divide(_tokens(segment))]
    return placed(found)


def srt(segments: Sequence[TranscriptSegment]) -> str:
    """SubRip. Marks that players would take for formatting are made full-width."""
    blocks = []
    for number, cue in enumerate(cues(segments), 1):
        lines = [
            f"{_srt_text(speaker)}: {_srt_text(line)}" if speaker else _srt_text(line)
            for line, speaker in zip(cue.lines, cue.speakers, strict=True)
        ]
        blocks.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n" + "\n".join(lines) + "\n")
    return "\n".join(blocks)


def vtt(segments: Sequence[TranscriptSegment]) -> str:
    """WebVTT, escaped; speakers as voice spans."""
    blocks = ["WEBVTT\n"]
    for cue in cues(segments):
        text = "\n".join(
            f"<v {_vtt_text(speaker)}>{_vtt_text(line)}" if speaker else _vtt_text(line)
            for line, speaker in zip(cue.lines, cue.speakers, strict=True)
        )
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def _tokens(segment: TranscriptSegment) -> list[_Token]:
    text = " ".join(segment.text.split())
    times, ends = _character_times(text, segment)
    label = line_width(f"{segment.speaker}: ") if segment.speaker else 0.0
    tokens = []
    for match in _TOKEN.finditer(text):
        step = len(match[0]) if line_width(match[0].rstrip()) <= 1 else WIDE_PER_LINE  # a word longer than a line
        for at in range(match.start(), match.end(), step):
            part = text[at : min(at + step, match.end())]
            behind = at + len(part.rstrip())
            end = next((ends[place] for place in range(behind, at, -1) if place in ends), times[behind])
            tokens.append(_Token(part, times[at], max(times[at], end), line_width(part) + label))
            label = 0.0
    return tokens


def _character_times(text: str, segment: TranscriptSegment) -> tuple[list[float], dict[int, float]]:
    """When each character begins (and last when the text ends), and where words end: place behind them → when.

    Words of the model are matched with the text, which ITN or a person may have changed; in between, and
    where there are none, time runs evenly.
    """
    begins = {0: segment.start, len(text): max(segment.start, segment.end)}
    ends: dict[int, float] = {}
    letters = [(letter, index) for index, word in enumerate(segment.words) for letter in word.text.strip().lower()]
    if len(letters) * len(text) > _MOST_TO_MATCH:
        letters = []
    owners = [-1, *(index for _, index in letters), -1]
    lower = [character.lower() for character in text]
    matcher = difflib.SequenceMatcher(None, [letter for letter, _ in letters], lower, autojunk=False)
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            owner, at = owners[block.a + offset + 1], block.b + offset
            if owners[block.a + offset] != owner:
                begins[at] = segment.words[owner].start
            if owners[block.a + offset + 2] != owner:
                ends[at + 1] = segment.words[owner].end
    return _filled(begins, len(text)), ends


def _filled(known: dict[int, float], length: int) -> list[float]:
    """Linear between the known places; never backwards."""
    times = [0.0] * (length + 1)
    latest = known[0]
    for here, there in itertools.pairwise(sorted(known)):
        begin = max(latest, known[here])
        finish = max(begin, known[there])
        for at in range(here, there + 1):
            times[at] = begin + (finish - begin) * (at - here) / (there - here)
        latest = begin
    return times


def _divide(tokens: _Tokens) -> list[_Tokens]:
    """The tokens of each subtitle of a segment, at the least cost."""
    pieces = [part for clause in _clauses(tokens) for part in _fitting(clause)]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(pieces) + 1):
        options = []
        for first in range(last - 1, -1, -1):
            together = _flat(pieces[first:last])
            if last - first > 1 and not _fits(together):
                break
            options.append((best[first][0] + _cost(together, last == len(pieces)), first))
        best.append(min(options))
    divided: list[_Tokens] = []
    last = len(pieces)
    while last:
        first = best[last][1]
        divided.append(_flat(pieces[first:last]))
        last = first
    return divided[::-1]


def _clauses(tokens: _Tokens) -> list[_Tokens]:
    """Cut after punctuation and at pauses."""
    cuts = [at + 1 for at in range(len(tokens) - 1) if _is_clause_end(tokens[at]) or _pause_after(tokens, at)]
    return [tokens[first:last] for first, last in itertools.pairwise([0, *cuts, len(tokens)]) if first < last]


def _fitting(clause: _Tokens) -> list[_Tokens]:
    """The clause in as few parts of equal width (or time, where that is too long) as fit a subtitle each."""
    ends = list(itertools.accumulate(token.width for token in clause))
    seconds = clause[-1].end - clause[0].start
    count = max(1, int(ends[-1] / 2), int(seconds / MOST_SECONDS))
    if seconds > MOST_SECONDS and seconds / MOST_SECONDS > ends[-1] / 2:
        ends = [token.end - clause[0].start for token in clause]
    while count < len(clause):
        cuts = {bisect.bisect_left(ends, ends[-1] * part / count) + 1 for part in range(1, count)}
        bounds = [0, *sorted(cuts - {len(clause)}), len(clause)]
        parts = [clause[first:last] for first, last in itertools.pairwise(bounds)]
        if all(_fits(part) for part in parts):
            return parts
        count += 1 + count // 20
    return [[token] for token in clause]


def _fits(tokens: _Tokens) -> bool:
    return tokens[-1].end - tokens[0].start <= MOST_SECONDS and _line_break(tokens) is not None


def _flat(pieces: Sequence[_Tokens]) -> list[_Token]:
    return [token for piece in pieces for token in piece]


def _cost(tokens: _Tokens, is_last: bool) -> float:
    """Of a subtitle with these tokens; how the last one of a segment ends does not count."""
    cost = _EACH
    if tokens[-1].end - tokens[0].start < LEAST_SECONDS:
        cost += _TOO_SHORT
    if not is_last and not _SENTENCE_END.search(tokens[-1].text):
        cost += _ENDS_AT_CLAUSE if _is_clause_end(tokens[-1]) else _ENDS_MID_CLAUSE
    for at, token in enumerate(tokens[:-1]):
        cost += _BRIDGES_SENTENCE * bool(_SENTENCE_END.search(token.text))
        cost += _BRIDGES_PAUSE * _pause_after(tokens, at)
    return cost


def _is_clause_end(token: _Token) -> bool:
    return bool(_CLAUSE_END.search(token.text) or _SENTENCE_END.search(token.text))


def _pause_after(tokens: _Tokens, at: int) -> bool:
    return tokens[at + 1].start - tokens[at].end > PAUSE_SECONDS


def _line_break(tokens: _Tokens) -> int | None:
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
            cost = abs(before - after) + (0.0 if _is_clause_end(tokens[count - 1]) else 0.4)
            best = min(best or (cost, count), (cost, count))
    return best[1] if best else None


def _cue(tokens: _Tokens, speaker: str | None) -> Cue:
    split = _line_break(tokens) or len(tokens)
    lines = ["".join(token.text for token in part).strip() for part in (tokens[:split], tokens[split:])]
    start, end = tokens[0].start, tokens[-1].end
    kept = tuple(line for line in lines if line)
    return Cue(start, min(end, start + MOST_SECONDS), kept, (speaker,) * len(kept))


def _space_behind(token: _Token) -> float:
    return (len(token.text) - len(token.text.rstrip())) / NARROW_PER_LINE


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _srt_text(text: str) -> str:
    return re.sub(r"<(?=[a-zA-Z/!])", "＜", " ".join(text.split())).replace("-->", "→").replace("{\\", "｛\\")


def _vtt_text(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
