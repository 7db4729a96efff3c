"""Chinese numerals for numbers that are written in digits."""

from __future__ import annotations

import re
from decimal import Decimal

# Groups of three have commas only where the whole run is grouped so; else commas separate numbers.
NUMBER = r"(?:(?<!\d,)\d{1,3}(?:(?:,\d{3})+|(?:，000)+)(?!,?\d)|\d+)(?:\.\d+)?"
SIGNS = {"-": "负", "−": "负", "+": "正", "±": "正负", "": ""}

_DIGITS = "零一二三四五六七八九"
_ONE_BY_ONE = str.maketrans("0123456789", _DIGITS)
_TELEPHONE = str.maketrans("0123456789", "零幺二三四五六七八九")
_MOST = 10**16


def digits(written: str) -> str:
    """Digit by digit, as years and standards are read: 2025 → 二零二五."""
    return written.translate(_ONE_BY_ONE)


def telephone(written: str) -> str:
    """Digit by digit, one as 幺, as telephone numbers and codes are read."""
    return written.translate(_TELEPHONE)


def integer(written: str) -> str:
    """123 → 一百二十三; with zeros in front, or of more than sixteen digits, digit by digit."""
    if (len(written) > 1 and written.startswith("0")) or len(written) > len(str(_MOST)) - 1:
        return digits(written)
    said = _whole(int(written))
    return re.sub("^二(?=[百千万亿])", "两", said)


def number(written: str, two: str = "二") -> str:
    """A NUMBER: commas do not count; a lone 2 is said as `two`."""
    whole, point, fraction = re.sub("[,，]", "", written).partition(".")
    if whole == "2" and not point:
        return two
    return integer(whole) + (f"点{digits(fraction)}" if point else "")


def versus(match: re.Match[str]) -> str:
    """Whole numbers set against each other: 3-1 → 三比一."""
    return "比".join(map(integer, re.findall(r"\d+", match[0])))


def value(written: str) -> Decimal:
    """The value of a NUMBER."""
    return Decimal(re.sub("[,，]", "", written))


def is_round(written: str) -> bool:
    """Whether a number is rather said as an amount: 500, 4000."""
    return written[0] != "0" and (written.endswith("00") or len(written) < 3)


def _whole(value: int) -> str:
    if value < 10**4:
        return _section(value)
    scale, unit = (10**8, "亿") if value >= 10**8 else (10**4, "万")
    high, low = divmod(value, scale)
    if not low:
        return _whole(high) + unit
    gap = "零" if low < scale // 10 else ""
    rest = f"一{_section(low)}" if 10 <= low < 20 else _whole(low)
    return _whole(high) + unit + gap + rest


def _section(value: int) -> str:
    """Below ten thousand; 10 to 19 without 一."""
    if value < 10:
        return _DIGITS[value]
    if value < 20:
        return "十" + (_DIGITS[value - 10] if value > 10 else "")
    said, gap = "", False
    for scale, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // scale % 10
        if digit:
            said += ("零" if gap and said else "") + _DIGITS[digit] + unit
        gap = not digit
    return said
