"""How Chinese characters sound, and how far one sound is from another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

SAME, OTHER_TONE, NEAR = range(3)  # zh/z, n/l, ing/in … are near

_ROUNDED = ("yuan", "juan", "quan", "xuan")  # near yun, jun, qun, xun

Sound = frozenset[str]  # the readings that a character may have: pinyin with a tone number, 5 is neutral


@lru_cache(maxsize=4096)
def sounds(text: str) -> tuple[Sound, ...]:
    """Of each character of `text` (Chinese only): its reading there, and its commonest one."""
    from pypinyin import Style, pinyin

    here = pinyin(text, style=Style.TONE3, neutral_tone_with_five=True, errors=list)  # type: ignore[arg-type]  # lists are allowed
    return tuple(frozenset(reading[:1]) | _commonest(character) for reading, character in zip(here, text, strict=True))


@lru_cache(maxsize=8192)
def _commonest(character: str) -> Sound:
    from pypinyin import Style, pinyin

    return frozenset(pinyin(character, style=Style.TONE3, neutral_tone_with_five=True)[0][:1])


def difference(heard: Sound, wanted: Sound) -> int | None:
    """SAME, OTHER_TONE or NEAR; None where one is never taken for the other."""
    if heard & wanted:
        return SAME
    heard_plain, wanted_plain = _toneless(heard), _toneless(wanted)
    if heard_plain & wanted_plain:
        return OTHER_TONE
    return NEAR if blurred(heard) & blurred(wanted) else None


def differences(heard: Sequence[Sound], wanted: Sequence[Sound]) -> list[int] | None:
    """Character by character; None where one pair is too far apart."""
    found: list[int] = []
    for one, other in zip(heard, wanted, strict=True):
        how = difference(one, other)
        if how is None:
            return None
        found.append(how)
    return found


@lru_cache(maxsize=8192)
def _toneless(sound: Sound) -> Sound:
    return frozenset(reading.rstrip("12345") for reading in sound)


@lru_cache(maxsize=8192)
def blurred(sound: Sound) -> Sound:
    """The readings without tones, and without what speakers and models often do not tell apart."""
    return frozenset(map(_blur, _toneless(sound)))


def _blur(syllable: str) -> str:
    """A syllable with the differences removed that speakers and models often do not make."""
    for sharp, plain in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(sharp):
            syllable = plain + syllable[2:]
    if syllable[:1] == "n":
        syllable = "l" + syllable[1:]
    if syllable.endswith(("ing", "eng", "ang")):
        return syllable[:-1]
    return syllable[:-2] + "n" if syllable.endswith(_ROUNDED) else syllable
