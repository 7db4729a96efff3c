"""Pauses that a text asks for: `[停顿 0.8s]`, `[停顿]`, `[pause 800ms]`, `<break time="500ms"/>`.

The text is cut there, whatever engine speaks it, and what joins its sentences writes the silence: as long as the mark
says, in place of the pause of the punctuation beside it. Marks that follow one another add up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from webui.errors import UserError
from webui.text import sentences
from webui.text.sentences import Sentence, Spoken, speakable
from webui.text.ssml import without_tags

DEFAULT_SECONDS = 0.5
MOST_SECONDS = 10.0  # of a mark
MOST_TOTAL = 3600.0  # seconds in a text
MOST_SHOWN = 60  # characters of a mark in a message
STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": DEFAULT_SECONDS, "strong": 0.8, "x-strong": 1.2}

# Bounded, so that a text full of open brackets is still read in linear time.
_CANDIDATE = re.compile(
    r"[\[［【](?P<bracket>[^\[\]［］【】\n]{1,40})[\]］】]|[<＜](?:break|BREAK)(?P<tag>(?:[\s/][^<>＜＞]{0,200})?)[>＞]"
    r"|[\[［【](?P<unclosed>\s{0,4}(?:停[顿頓]|(?i:pause))\s{0,4}[:：]?\s{0,4}(?:[.．]?\d[\d.．]{0,12}\s?[A-Za-zａ-ｚ毫秒]{0,12}"
    r"|[零〇一二两三四五六七八九十百半点]{1,8}\s?毫?秒))"
)
_BRACKET = re.compile(r"\s*(?P<word>停[顿頓]|pause(?![a-z]))(?P<gap>\s*:?\s*)(?P<length>.*)")
_LENGTH = re.compile(
    r"\+?([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s*(ms|msecs?|milliseconds?|毫秒|s|secs?|seconds?|秒钟?)"
)
_MEANT = re.compile(r"\W*[0-9]|[零〇一二两三四五六七八九十百半点]+\s*毫?秒")  # a length, if an unreadable one
_TIME = re.compile(r"(?<![\w-])time\s*=\s*(?:[\"'“”‘’]([^\"'“”‘’]*)|([^\s\"'“”‘’/]*))")
_STRENGTH = re.compile(r"(?<![\w-])strength\s*=\s*[\"'“”‘’]?([a-z-]*)")
# Punctuation behind a mark belongs to what was said before it.
_PUNCTUATION = re.compile(r"(?:[，。、；：！？…”’」』）]|[,.;:!?)](?![0-9]))*")


@dataclass(frozen=True)
class Mark:
    """Silence in the place of `text[start:end]`; `shortened` where more than MOST_SECONDS were asked for."""

    start: int
    end: int
    seconds: float
    shortened: bool


@dataclass(frozen=True)
class Paused:
    """What is said, and the seconds of silence asked for around it; None: as its punctuation has it."""

    text: str
    before: float | None
    after: float | None


def marks(text: str) -> list[Mark]:
    """The pauses in `text`, in order.

    Raises UserError PAUSE_MARK for one that cannot be read, PAUSES_TOO_LONG for all together.
    """
    found = []
    for match in _CANDIDATE.finditer(text):
        if match["unclosed"]:
            raise _unreadable(match)
        seconds = _in_brackets(match) if match["bracket"] else _of_tag(match)
        if seconds is not None:
            kept = min(seconds, MOST_SECONDS)
            found.append(Mark(match.start(), match.end(), kept, seconds > kept))
    total = sum(mark.seconds for mark in found)
    if total > MOST_TOTAL:
        raise UserError("PAUSES_TOO_LONG", param="text", seconds=round(total), most=round(MOST_TOTAL))
    return found


def shortened(text: str) -> list[str]:
    """The marks of `text` that ask for more than they are given, each once. Raises as `marks`."""
    return list(dict.fromkeys(text[mark.start : mark.end] for mark in marks(text) if mark.shortened))


def spoken(text: str) -> str:
    """What there is to say: a line break in the place of every pause. Raises as `marks`."""
    text = without_tags(text)
    return "\n".join(text[start:end] for start, end in _stretches(text, marks(text)))


def split(text: str, default: Spoken = "zh") -> list[Sentence]:
    """The sentences of `text` as `sentences.split` has them, none across a pause, nor with any SSML tag.

    The pauses stay at the end of the sentence before them, those in front of all at the first; `read` finds them.
    Raises as `marks`.
    """
    text = without_tags(text)
    stretches = [
        (_behind_punctuation(text, start, end), end)
        for start, end in _stretches(text, marks(text))
        if speakable(text[start:end])
    ]
    done: list[Sentence] = []
    nexts = [start for start, _ in stretches[1:]] + [len(text)]
    for (start, end), following in zip(stretches, nexts, strict=False):
        own = sentences.split(text[start:end], done[-1].language if done else default)
        before = "" if done else text[:start].lstrip()
        own[0] = replace(own[0], text=before + own[0].text)
        own[-1] = replace(own[-1], text=own[-1].text + text[end:following].rstrip())
        done += own
    return done


def read(sentence: str) -> Paused:
    """A sentence that `split` gave and its pauses. Raises as `marks`."""
    found = marks(sentence)
    parts = [sentence[start:end] for start, end in _stretches(sentence, found)]
    first = next((at for at, part in enumerate(parts) if speakable(part)), 0)
    before, after = found[:first], found[first:]
    return Paused("".join(parts), _total(before), _total(after))


def _total(found: list[Mark]) -> float | None:
    return sum(mark.seconds for mark in found) if found else None


def _stretches(text: str, found: list[Mark]) -> Iterator[tuple[int, int]]:
    """The spans between the marks."""
    start = 0
    for mark in found:
        yield start, mark.start
        start = mark.end
    yield start, len(text)


def _behind_punctuation(text: str, start: int, end: int) -> int:
    found = _PUNCTUATION.match(text, start, end) if start else None
    return found.end() if found else start


def _in_brackets(match: re.Match[str]) -> float | None:
    """The seconds of a mark in brackets; None for ordinary text, "[1]", "[停顿了一下]"."""
    written = _BRACKET.fullmatch(unicodedata.normalize("NFKC", match["bracket"]).lower())
    if written is None:
        return None
    length = written["length"].strip()
    if not length:
        return DEFAULT_SECONDS
    meant = _MEANT.match(length) or _is_mark(written)
    return _seconds(length, match) if meant else None


def _is_mark(written: re.Match[str]) -> bool:
    """[停顿 abc], [停顿abc] and [pause: abc] can be nothing else; [停顿了一下] and [pause button] are words."""
    gap, latin = written["gap"], written["length"][:1].isascii()
    return ":" in gap or (written["word"] != "pause" and (bool(gap) or latin))


def _of_tag(match: re.Match[str]) -> float:
    attributes = unicodedata.normalize("NFKC", match["tag"]).lower()
    if time := _TIME.search(attributes):
        return _seconds((time[1] or time[2] or "").strip(), match)
    strength = _STRENGTH.search(attributes)
    if strength is None:
        return DEFAULT_SECONDS
    if strength[1] not in STRENGTHS:
        raise _unreadable(match)
    return STRENGTHS[strength[1]]


def _seconds(length: str, match: re.Match[str]) -> float:
    found = _LENGTH.fullmatch(length)
    if found is None:
        raise _unreadable(match)
    return float(found[1]) * (0.001 if found[2][0] in "m毫" else 1)


def _unreadable(match: re.Match[str]) -> UserError:
    return UserError("PAUSE_MARK", param="text", token=match[0][:MOST_SHOWN])
