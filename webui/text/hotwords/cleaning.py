"""Cleaning what users type as hotwords.

Nothing that leaves `clean` can be an instruction to a model or a place to read from: no chat-template tokens,
no line breaks, no URLs, no paths.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from webui.errors import Notice

MOST_WORDS = 200
MOST_CHARACTERS = 20

_TEMPLATE = re.compile(r"<\|[^|<>]{0,64}\|>")
_BRACKETS = re.compile(r"[<>|\[\]{}()（）【】《》〈〉「」『』＜＞｜［］｛｝`\"“”]")
_SEPARATORS = re.compile(r"[,，、;；\t]")
_PLACE = re.compile(r"://|^www\.|^[~./\\]|[\\/].*[\\/]|^[a-z]:[\\/]|\.(?:txt|text|scp|jsonl?|wav|py)$", re.IGNORECASE)
_WEIGHT = re.compile(r"(?<=[\u3400-\u9fff])\s+-?\d{1,3}$")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")


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
