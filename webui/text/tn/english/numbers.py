"""English numerals for numbers that are written in digits."""

from __future__ import annotations

import re

NUMBER = r"(?:(?<!\d,)\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?:\.\d+)?"

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = " . twenty thirty forty fifty sixty seventy eighty ninety".split(" ")
_SCALES = " thousand million billion trillion quadrillion quintillion sextillion".split(" ")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def digits(written: str, zero: str = "zero") -> str:
    """Digit by digit: 105 → one zero five."""
    return " ".join(_ONES[int(figure)] if figure != "0" else zero for figure in written if figure.isdigit())


def integer(written: str) -> str:
    """123 → one hundred and twenty three; with zeros in front, or ten digits and more in a run, digit by digit."""
    plain = written.replace(",", "")
    if (
        (len(plain) > 1 and plain.startswith("0"))
        or (len(plain) > 9 and plain == written)
        or len(plain) > 3 * len(_SCALES)
    ):
        return digits(plain)
    return cardinal(int(plain))


def cardinal(value: int) -> str:
    """With "and" before the last two digits."""
    groups: list[str] = []
    for scale in reversed(range(len(_SCALES))):
        group = value // 1000**scale % 1000
        if group:
            said = _below_thousand(group, "and " if scale == 0 else "")
            joint = "and " if scale == 0 and group < 100 and groups else ""
            groups.append(f"{joint}{said} {_SCALES[scale]}".strip())
    return " ".join(groups) or "zero"


def number(written: str) -> str:
    """A NUMBER, also one without its zero: .5 → point five."""
    whole, point, fraction = written.partition(".")
    return " ".join(filter(None, (whole and integer(whole), point and f"point {digits(fraction)}")))


def ordinal(said: str) -> str:
    """twenty one → twenty first."""
    head, _, last = said.rpartition(" ")
    last = _ORDINALS.get(last) or re.sub("y$", "ie", last) + "th"
    return f"{head} {last}".strip()


def year(written: str) -> str:
    """2012 → twenty twelve, 1905 → nineteen oh five, 2005 → two thousand five, 340 → three forty."""
    value = int(written)
    if value % 1000 < 10 and value >= 1000:
        return re.sub(r"\band ", "", cardinal(value))
    high, low = divmod(value, 100)
    if not low or not high:
        return f"{_below_thousand(high)} hundred" if high else pair(written)
    return f"{_below_thousand(high)} {pair(f'{low:02}')}"


def pair(written: str, zero: str = "oh") -> str:
    """Two digits: 05 → oh five, 00 → oh oh."""
    return cardinal(int(written)) if written[0] != "0" else digits(written, zero)


def decade(written: str) -> str:
    """80 → eighties, 1910 → nineteen tens, 2000 → two thousands."""
    said = cardinal(int(written)) if len(written) < 3 else year(written)
    return re.sub("y$", "ie", said) + "s"


def _below_thousand(value: int, joint: str = "") -> str:
    hundreds, rest = divmod(value, 100)
    said = f"{_ONES[hundreds]} hundred" if hundreds else ""
    if not rest:
        return said
    low = _ONES[rest] if rest < 20 else f"{_TENS[rest // 10]} {_ONES[rest % 10] if rest % 10 else ''}".strip()
    return f"{said} {joint}{low}" if said else low
