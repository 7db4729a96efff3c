"""Chinese numerals: the grammar as regular expressions, their values, and how they are written in digits.

Everything here works on canonical characters (`canonical`): 零一二三四五六七八九十百千万亿兆两点负. A numeral
that does not follow the grammar (八百一千) does not match, so that nothing is ever guessed.
"""

from __future__ import annotations

import re

DIGIT_VALUES = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2, "幺": 1}
_SPOKEN_DIGITS = {"洞": "零", "拐": "七", "勾": "九"}  # radio alphabet, only in runs that also say 幺
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8, "兆": 10**12}

_PLAIN_VARIANTS = {"〇": "零", "兩": "两", "萬": "万", "億": "亿", "點": "点", "負": "负"}
_FINANCIAL = dict(zip("壹贰貳叁參肆伍陆陸柒捌玖拾佰仟", "一二二三三四五六六七八九十百千", strict=True))
VARIANTS = _PLAIN_VARIANTS | _FINANCIAL | _SPOKEN_DIGITS

NUMERALS = "零一二三四五六七八九十百千万亿兆两幺"
DIGITS = "零一二三四五六七八九"

_ONE = "[一二三四五六七八九]"
_LEAD = "[一二两三四五六七八九]"
_TENS = f"{_ONE}?十{_ONE}?"
_HUNDREDS = f"{_LEAD}百(?:零?{_TENS}|零{_ONE})?"
_THOUSANDS = f"{_LEAD}千(?:零?{_HUNDREDS}|零?{_TENS}|零{_ONE})?"
_SECTION = f"(?:{_THOUSANDS}|{_HUNDREDS}|{_TENS})"
_MYRIADS = f"(?:{_SECTION}|{_LEAD})万(?:零?{_SECTION}|零{_ONE})?"
_BELOW_YI = f"(?:{_MYRIADS}|{_SECTION})"
_YI = f"(?:(?:{_SECTION}|{_LEAD})万|{_SECTION}|{_LEAD})亿(?:零?{_BELOW_YI}|零{_ONE})?"
_ZHAO = f"(?:{_SECTION}|{_LEAD})兆(?:零?(?:{_YI}|{_BELOW_YI})|零{_ONE})?"

CARDINAL = f"(?:{_ZHAO}|{_YI}|{_MYRIADS}|{_SECTION})"  # has at least one of 十百千万亿兆
INTEGER = f"(?:{CARDINAL}|[零一二两三四五六七八九])"
SCALED_UNIT = "(?:千[克米瓦伏卡赫帕焦升吨欧安字]|百帕|兆[瓦赫帕焦欧伏字])"
_SCALE = "(?:[十百千]?万亿|[十百千]?[万亿]|[百千])"
FRACTION = f"(?:点[{DIGITS}]+(?:(?!{SCALED_UNIT}){_SCALE}(?![{NUMERALS}]))?)"  # 点二万亿, 点五百万, 点五(千克)
NUMBER = f"(?:{INTEGER}{FRACTION}?)"

_FINANCIAL_RUN = re.compile(f"[{NUMERALS}〇兩萬億點点{''.join(_FINANCIAL)}]+")
_CODE_RUN = re.compile(f"[{NUMERALS}{''.join(VARIANTS)}]{{4,}}")
_PLAIN = str.maketrans(_PLAIN_VARIANTS)
_ALL = str.maketrans(_PLAIN_VARIANTS | _FINANCIAL)
_RADIO = str.maketrans(_SPOKEN_DIGITS | {"两": "二"})


def canonical(text: str) -> str:
    """`text` with traditional, financial (壹贰…) and radio (洞拐) numerals replaced one for one.

    Financial forms are also surnames and words (陆, 伍, 大陆), so they count only where a run has two of them.
    """
    text = _CODE_RUN.sub(lambda run: run[0].translate(_RADIO) if "幺" in run[0] else run[0], text)
    text = _FINANCIAL_RUN.sub(_financial, text)
    return text.translate(_PLAIN)


def _financial(run: re.Match[str]) -> str:
    return run[0].translate(_ALL) if sum(character in _FINANCIAL for character in run[0]) >= 2 else run[0]


def value(numeral: str) -> int:
    """The value of a canonical INTEGER; a last digit right after a unit counts in tenths of it (三百五 = 350)."""
    total = section = digit = 0
    unit = 1
    for character in numeral:
        if character in DIGIT_VALUES:
            digit = DIGIT_VALUES[character]
            unit = unit if digit else 1
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            unit, digit = _UNITS[character], 0
        else:
            total, section = _close_group(total, section + digit, _GROUPS[character])
            unit, digit = _GROUPS[character], 0
    if digit and unit >= 100 and numeral[-2] not in "零十":
        digit *= unit // 10
    return total + section + digit


def _close_group(total: int, section: int, group: int) -> tuple[int, int]:
    """万亿 multiplies what stands before it; 亿 after 兆 only its own section."""
    if group == 10**8 and total < 10**8:
        return (total + section) * group, 0
    return total + section * group, 0


def write_integer(numeral: str) -> str:
    """A canonical INTEGER in digits; round 万, 亿 and 兆 stay as characters (2345万, 3亿5000万)."""
    for group in "兆亿":
        head, found, rest = numeral.rpartition(group)
        if found and re.fullmatch(_ONE, rest):
            return f"{write_integer(head)}.{value(rest)}{group}"
        if found and value(numeral) % 10**4 == 0:
            return write_integer(head) + group + (write_integer(rest.lstrip("零")) if rest else "")
    number = value(numeral)
    if number and numeral.endswith("万") and number % 10**4 == 0:
        return f"{number // 10**4}万"
    return str(number)


def write_digits(run: str) -> str:
    """Digits said one by one (幺三八…); letters between them stay."""
    return "".join(str(DIGIT_VALUES.get(character, character)) for character in run)


def write_number(number: str) -> str:
    """A canonical NUMBER in digits: 三点一四 → 3.14, 二十点一万 → 20.1万."""
    whole, point, fraction = number.partition("点")
    if not point:
        return write_integer(whole)
    digits = fraction.rstrip("十百千万亿")
    return f"{value(whole)}.{write_digits(digits)}{fraction[len(digits) :]}"
