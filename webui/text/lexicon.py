"""An organisation's words and how they are read: "重庆" as "[chong2][qing4]", "NPU" as "恩屁优"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from webui.errors import UserError
from webui.text.pauses import marks
from webui.text.pronunciation import MARK, is_mark, parse, syllable
from webui.text.sentences import speakable

MOST_WORDS = 2000
MOST_WORD, MOST_READING = 50, 200  # characters

_TONED = re.compile(r"[a-z\u00fc]+[1-5]|(?=.*[\u0300\u0301\u0304\u030c])[a-z\u0300-\u030c]+", re.IGNORECASE)


class Lexicon:
    """Words and their readings, as `checked` gives them."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = dict(entries)
        words = "|".join(_whole(word) for word in sorted(self._entries, key=len, reverse=True))
        self._pattern = re.compile(f"(?:{MARK.pattern})|(?P<word>{words or '(?!)'})")

    def used_in(self, text: str) -> dict[str, str]:
        """The entries that `apply` would put into `text`."""
        words = {match["word"] for match in self._pattern.finditer(text) if match["word"]}
        return {word: self._entries[word] for word in sorted(words)}

    def apply(self, text: str) -> str:
        """`text` with every word as it is read, the longest first; what stands in brackets stays as it is."""
        return self._pattern.sub(lambda match: self._entries[match["word"]] if match["word"] else match[0], text)


def checked(entries: Mapping[str, str]) -> dict[str, str]:
    """Words and readings as they are kept: a reading in pinyin ("chong2 qing4", "chóng qìng") becomes marks.

    Raises UserError UNKNOWN_PRONUNCIATION, LEXICON_TOO_LONG, LEXICON_WORD.
    """
    if len(entries) > MOST_WORDS:
        raise UserError("LEXICON_TOO_LONG", param="entries", count=len(entries), most=MOST_WORDS)
    return dict(_checked_entry(word.strip(), reading.strip()) for word, reading in entries.items())


def has_marks(reading: str) -> bool:
    """Whether a reading needs an engine that understands pronunciation marks."""
    return any(is_mark(match) for match in MARK.finditer(reading))


def _checked_entry(word: str, reading: str) -> tuple[str, str]:
    if not 0 < len(word) <= MOST_WORD or len(reading) > MOST_READING or re.search(r"[\[\]<>\n]", word):
        raise UserError("LEXICON_WORD", param="entries", word=word[:MOST_WORD], most=MOST_WORD)
    parts = unicodedata.normalize("NFD", reading).split()
    if parts and all(map(_TONED.fullmatch, parts)):
        found = [syllable(unicodedata.normalize("NFC", part)) for part in parts]
        reading = "".join(f"[{one.base}{one.tone}]" for one in found)
    if marks(reading) or not speakable(reading):  # a text is cut at its pauses before a word is looked up
        raise UserError("LEXICON_WORD", param="entries", word=word, most=MOST_WORD)
    parse(reading)
    return word, reading


def _whole(word: str) -> str:
    """A pattern for `word`, not as a part of another: a letter may stand behind a digit (5mAh), not in a word."""
    before = r"(?<![A-Za-z])" if re.match("[A-Za-z]", word) else r"(?<![A-Za-z0-9])" if re.match("[0-9]", word) else ""
    after = r"(?![A-Za-z0-9])" if re.search("[A-Za-z0-9]$", word) else ""
    return before + re.escape(word) + after
