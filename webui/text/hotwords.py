"""Hotwords: cleaning what users type, and correcting a transcript by sound for models that take no hotwords.

Nothing that leaves `clean` can be an instruction to a model or a place to read from: no chat-template tokens,
no line breaks, no URLs, no paths.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from webui.errors import Notice

LANGUAGES = ("zh", "yue")  # whose words are corrected by sound
MOST_WORDS = 200
MOST_CHARACTERS = 20

_TEMPLATE = re.compile(r"<\|[^|<>]{0,64}\|>")
_BRACKETS = re.compile(r"[<>|\[\]{}()（）【】《》〈〉「」『』＜＞｜［］｛｝`\"“”]")
_SEPARATORS = re.compile(r"[,，、;；\t]")
_PLACE = re.compile(r"://|^www\.|^[~./\\]|[\\/].*[\\/]|^[a-z]:[\\/]|\.(?:txt|text|scp|jsonl?|wav|py)$", re.IGNORECASE)
_WEIGHT = re.compile(r"(?<=[\u3400-\u9fff])\s+-?\d{1,3}$")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Hit:
    """A hotword in a text: `text[start:end]` is `word`; `heard` is what the model wrote, where it was corrected."""

    word: str
    start: int
    end: int
    heard: str | None = None


def clean(lines: Iterable[str]) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """The hotwords in `lines` (one or several a line), without repeats, and the warnings about what was left out.

    A trailing weight (`阿里巴巴 20`) is dropped: no model here has weights.
    """
    words: dict[str, None] = {}
    left_out = False
    for candidate in _candidates(lines):
        word = _clean_word(candidate)
        if not word or len(word) > MOST_CHARACTERS or _PLACE.search(word) or len(words) >= MOST_WORDS:
            left_out = left_out or (bool(candidate.strip()) and word not in words)
            continue
        words[word] = None
    warnings = (Notice("HOTWORDS_TRIMMED", {"kept": len(words)}),) if left_out else ()
    return tuple(words), warnings


def _candidates(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for part in (part for row in line.splitlines() for part in _SEPARATORS.split(row)):
            part = _WEIGHT.sub("", part.strip())
            pieces = part.split()
            # Chinese words are often listed with spaces between them; an English name keeps its own.
            yield from pieces if pieces and all(_CHINESE.search(piece) for piece in pieces) else [part]


def _clean_word(text: str) -> str:
    text = unicodedata.normalize("NFC", _TEMPLATE.sub("", text))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    return " ".join(_BRACKETS.sub("", text).split())


def find(text: str, hotwords: Sequence[str]) -> tuple[Hit, ...]:
    """Where `hotwords` stand in `text` as they are (Latin ones in any case), longest first, without overlap."""
    taken = [False] * len(text)
    lowered = text.lower() if len(text.lower()) == len(text) else text
    hits: list[Hit] = []
    present = [word for word in hotwords if word and word.lower() in lowered]
    for word in sorted(present, key=len, reverse=True):
        for match in re.finditer(re.escape(word.lower()), lowered):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * len(match[0])
                hits.append(Hit(word, match.start(), match.end()))
    return tuple(sorted(hits, key=lambda hit: hit.start))


def correct(text: str, hotwords: Sequence[str]) -> tuple[str, tuple[Hit, ...]]:
    """`text` with what sounds like a hotword replaced by it, and all hits in the new text.

    Chinese words are replaced by as many characters, so that character times still fit: two characters only
    when both sound the same (tones aside), longer words when they nearly do. Latin words only for case (where the
    hotword has capitals) and spaces.
    """
    found = [(hit.start, hit.end, hit.word) for hit in find(text, hotwords)]
    for word in sorted(hotwords, key=len, reverse=True):
        found += [span for span in _sounding_like(text, word) if not _overlaps(span, found)]
    return _replace(text, sorted(found))


def _overlaps(span: tuple[int, int, str], others: Sequence[tuple[int, int, str]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end, _ in others)


def _replace(text: str, found: Sequence[tuple[int, int, str]]) -> tuple[str, tuple[Hit, ...]]:
    pieces: list[str] = []
    hits: list[Hit] = []
    done = length = 0
    for start, end, word in found:
        heard = text[start:end]
        kept = heard == word or (heard.lower() == word.lower() and word.islower())
        pieces += [text[done:start], heard if kept else word]
        length += start - done
        hits.append(Hit(word, length, length + len(pieces[-1]), None if kept else heard))
        length += len(pieces[-1])
        done = end
    return "".join(pieces) + text[done:], tuple(hits)


def _sounding_like(text: str, word: str) -> list[tuple[int, int, str]]:
    if _CHINESE.fullmatch(word):
        return _chinese_windows(text, word) if len(word) >= 2 else []
    return _latin_windows(text, word)


def _chinese_windows(text: str, word: str) -> list[tuple[int, int, str]]:
    """Windows of `text`, without overlap, that sound like `word`, from left to right."""
    sounds = [_readings(character) for character in word]
    found: list[tuple[int, int, str]] = []
    for run in _CHINESE.finditer(text):
        start = run.start()
        while start + len(word) <= run.end():
            if _sounds_like(text[start : start + len(word)], sounds):
                found.append((start, start + len(word), word))
                start += len(word)
            else:
                start += 1
    return found


def _sounds_like(window: str, sounds: Sequence[frozenset[str]]) -> bool:
    """Two syllables must be equal; of more, each may be close (zh/z, n/l, in/ing …), a third of them at most."""
    close = 0
    for character, wanted in zip(window, sounds, strict=True):
        heard = _readings(character)
        if heard & wanted:
            continue
        if len(sounds) < 3 or not {_blur(sound) for sound in heard} & {_blur(sound) for sound in wanted}:
            return False
        close += 1
    return close <= len(sounds) // 3


@lru_cache(maxsize=8192)
def _readings(character: str) -> frozenset[str]:
    """All syllables of a character, without tones."""
    from pypinyin import Style, pinyin

    return frozenset(pinyin(character, style=Style.NORMAL, heteronym=True)[0])


def _blur(syllable: str) -> str:
    """A syllable with the differences removed that speakers and models often do not make."""
    for sharp, plain in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(sharp):
            syllable = plain + syllable[2:]
    if syllable[:1] == "n":
        syllable = "l" + syllable[1:]
    if syllable.endswith(("ing", "eng", "ang")):
        syllable = syllable[:-1]
    return syllable


def _latin_windows(text: str, word: str) -> list[tuple[int, int, str]]:
    """Runs of words in `text` that spell `word` but for case, spaces and hyphens (i phone → iPhone)."""
    wanted = "".join(_LATIN.findall(word)).lower()
    if len(wanted) < 3 or _CHINESE.search(word):
        return []
    tokens = list(_LATIN.finditer(text))
    found: list[tuple[int, int, str]] = []
    for first, token in enumerate(tokens):
        spelled = ""
        for last in tokens[first : first + len(wanted)]:
            spelled += last[0].lower()
            if spelled == wanted and not re.search(r"[^\s\w-]", text[token.start() : last.end()]):
                found.append((token.start(), last.end(), word))
            if not wanted.startswith(spelled):
                break
    return found
