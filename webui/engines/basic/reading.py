"""How a text is read: the runs that espeak-ng is given, each with the voice for its language.

espeak's Mandarin reading of characters knows no tone sandhi and fails on rare ones, so it is given phonemes:
characters become pinyin by pypinyin, and pinyin becomes the phonemes of espeak's own pinyin voice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from webui.engines.basic.espeak import Espeak
from webui.engines.basic.mandarin import pinyin
from webui.text.pronunciation import Arpabet, Pinyin, Text, parse

MANDARIN, PINYIN, ENGLISH = "cmn", "cmn-latn-pinyin", "en-us"

_RUN = re.compile(
    r"(?P<hanzi>[㐀-鿿豈-\ufaff\U00020000-\U000323af]+)|(?P<english>[A-Za-z][A-Za-z'’-]*(?:[ ,]+[A-Za-z][A-Za-z'’-]*)*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_PUNCTUATION = str.maketrans("，、：；。！？…—\n", ",,,;.!?,,,", "[]{}<>\0")  # espeak reads [[…]] as phonemes
_PHONES = {
    "AA": "A:", "AE": "a", "AH": "V", "AO": "O:", "AW": "aU", "AY": "aI", "EH": "E", "ER": "3:", "EY": "eI",
    "IH": "I", "IY": "i:", "OW": "oU", "OY": "OI", "UH": "U", "UW": "u:", "B": "b", "CH": "tS", "D": "d",
    "DH": "D", "F": "f", "G": "g", "HH": "h", "JH": "dZ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "N",
    "P": "p", "R": "r", "S": "s", "SH": "S", "T": "t", "TH": "T", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "Z",
}  # fmt: skip
_UNSTRESSED = {"AH": "@", "ER": "3"}
_STRESS = {"1": "'", "2": ","}


@dataclass(frozen=True)
class Run:
    """Input for one espeak voice."""

    voice: str
    text: str


class Reader:
    """Reads texts; keeps the phonemes of the syllables it has met."""

    def __init__(self, espeak: Espeak) -> None:
        self._espeak = espeak
        self._phonemes: dict[str, str] = {}

    def read(self, text: str, language: str) -> list[Run]:
        """The runs of a normalised text in order. `language` reads what has none of its own, such as numbers.

        Raises UserError UNKNOWN_PRONUNCIATION, EngineError.
        """
        text = text.encode(errors="ignore").decode()  # a lone surrogate is no character
        voice = ENGLISH if language == "en" else MANDARIN
        pieces = list(_settled(self._pieces(text), voice))
        return [Run(voice, "".join(piece.text for piece in group)) for voice, group in groupby(pieces, _voice)]

    def _pieces(self, text: str) -> Iterator[Run]:
        for run in parse(text):
            if isinstance(run, Pinyin):
                yield Run(MANDARIN, self._mandarin([f"{one.base}{one.tone}" for one in run.syllables]))
            elif isinstance(run, Arpabet):
                yield Run(ENGLISH, f"[[{english_phonemes(run.phones)}]] ")
            elif isinstance(run, Text):
                yield from self._text(run.text)

    def _text(self, text: str) -> Iterator[Run]:
        for match in _RUN.finditer(text):
            if match["hanzi"]:
                yield Run(MANDARIN, self._mandarin(pinyin(match["hanzi"])))
            elif match["english"]:
                yield Run(ENGLISH, match["english"])
            else:
                yield Run("", match["other"].translate(_PUNCTUATION))

    def _mandarin(self, readings: Sequence[str]) -> str:
        """espeak's input for pinyin readings; a character without a reading stays as it is."""
        unknown = sorted({reading for reading in readings if reading.isascii()} - self._phonemes.keys())
        if unknown:
            heard = self._espeak.phonemes(unknown, PINYIN)
            self._phonemes.update(zip(unknown, (one.replace("_|", "").strip() for one in heard), strict=True))
        return "".join(f"[[{self._phonemes[one]}]] " if one.isascii() else one for one in readings)


def english_phonemes(phones: Sequence[str]) -> str:
    """espeak's mnemonics for ARPAbet phones: ("HH", "AH0", "L", "OW1") → "h@l'oU"."""
    return "".join(_english_phoneme(phone.rstrip("012"), phone[-1]) for phone in phones)


def _english_phoneme(phone: str, stress: str) -> str:
    if stress == "0" and phone in _UNSTRESSED:
        return _UNSTRESSED[phone]
    return _STRESS.get(stress, "") + _PHONES[phone]


def _settled(pieces: Iterator[Run], voice: str) -> Iterator[Run]:
    """Punctuation, digits and the like go to the voice before them, at the start to `voice`."""
    for piece in pieces:
        voice = piece.voice or voice
        yield Run(voice, piece.text)


def _voice(run: Run) -> str:
    return run.voice
