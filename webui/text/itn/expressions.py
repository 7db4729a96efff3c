"""Numbers that belong together: pairs, ranges, sums, dimensions. Both ends are written in one style, or none is."""

from __future__ import annotations

import re

from webui.text.itn.numbers import CARDINAL, DIGIT_VALUES, NUMBER, NUMERALS, value, write_integer, write_number
from webui.text.itn.patterns import ANY, DAY, HOUR, LEAD, LONG, MONTH, ONE, PAIR, SIGN, Rule, sign
from webui.text.itn.words import COUNTER, DAY_PARTS, MEASURE

_NUMBER = re.compile(NUMBER)
_LENGTHS = "米|厘米|公分|毫米|公里|尺|寸"
_OPERATOR = "(?:加上?|减去?|乘以?|除以)"


def ascends(first: str, second: str) -> bool:
    low, high = DIGIT_VALUES[first], DIGIT_VALUES[second]
    return low > 0 and (high - low == 1 or (low, high) == (3, 5))


def about(match: re.Match[str]) -> str | None:
    """三五百 → 300~500, 四十五六万 → 45~46万, 七百三四十 → 730~740, 一万六七 → 16000~17000, 三五个 → 3~5个."""
    if not ascends(match["a"], match["b"]):
        return None
    head, scale, group = (match[name] or "" for name in ("head", "scale", "group"))
    low, high = (value(head + match[name] + scale) for name in ("a", "b"))
    return f"{low}~{high}{group}"


def _about_years(match: re.Match[str]) -> str | None:
    """两三年 → 2~3年; 五六年 may be 1956 and stays."""
    return f"{DIGIT_VALUES[match['a']]}~{DIGIT_VALUES[match['b']]}" if ascends(match["a"], match["b"]) else None


def _range(match: re.Match[str]) -> str | None:
    """三到五个 → 3~5个, from … to keeps its words: 从十五到二十 → 从15到20; 从一到十 and 第三到五 stay."""
    before = match.string[match.start() - 1 : match.start()]
    if before not in ("从", "第"):
        return f"{sign(match)}{write_number(match['a'])}~{write_number(match['b'])}"
    counts = _is_long(match["a"]) or _is_long(match["b"]) or before + match["b"] == "第十"
    return write_number(match["a"]) + match["to"] + write_number(match["b"]) if counts else None


def _is_long(number: str) -> bool:
    """Whether a number is written in digits wherever it stands: a bare ten and single digits are not."""
    return len(number) > 1


def _calendar_range(match: re.Match[str]) -> str | None:
    """三到五月 → 3到5月, 一到十号 → 1到10号."""
    low, high = value(match["a"]), value(match["b"])
    if not low < high <= (12 if match["unit"] == "月" else 31):
        return None
    return f"{low}{match['to']}{high}"


def _date_range(match: re.Match[str]) -> str:
    first = f"{value(match['m'])}月{value(match['a'])}{match['u']}"
    return f"{first}{match['to']}{value(match['b'])}{match['v']}"


def _hour_range(match: re.Match[str]) -> str | None:
    """九到十一点 → 9到11点; 三到五点 may be points and stays."""
    part, later = match["part"] or "", match["later"] or ""
    if not (part or later or match["o_clock"] or "十" in match["a"] + match["b"]):
        return None
    return f"{part}{value(match['a'])}{match['to']}{later}{value(match['b'])}点"


def _about_hours(match: re.Match[str]) -> str | None:
    """十一二点 → 11~12点; 九十点 only where it is an hour."""
    part, head = match["part"] or "", match["head"] or ""
    if match["nine"]:
        return f"{part}9~10点" if part or match["o_clock"] else None
    if not ascends(match["a"], match["b"]):
        return None
    return f"{part}{value(head + match['a'])}~{value(head + match['b'])}点"


def _year_range(match: re.Match[str]) -> str:
    return f"{write_integer(match['a'])}~{write_integer(match['b'])}"


def _twice(match: re.Match[str]) -> str | None:
    """五米到十米 → 5米到10米; 三天到五天 stays."""
    if max(len(match["a"]), len(match["b"])) < 2 and "十" not in match["a"] + match["b"]:
        return None
    unit, between = match["u"], match["to"]
    return write_number(match["a"]) + unit + between + write_number(match["b"]) + unit


def _sum(match: re.Match[str]) -> str | None:
    """十加二十等于三十 → 10加20等于30; 一加二 and 十乘十 stay."""
    numbers = _NUMBER.findall(match[0])
    if not (match["result"] or any(map(_is_long, numbers))):
        return None
    return _NUMBER.sub(lambda number: write_number(number[0]), match[0])


def _dimensions(match: re.Match[str]) -> str | None:
    """长十米宽五米 → 长10米宽5米; 长五米宽三米 stays."""
    if not re.search("[十百千万点]", match[0]):
        return None
    return _NUMBER.sub(lambda number: write_number(number[0]), match[0])


def _ratio(match: re.Match[str]) -> str:
    return f"{write_number(match['a'])}比{write_number(match['b'])}"


_O_CLOCK = "(?P<o_clock>钟|整|左右|之前|以前|之后|以后|前|后|开始)?"

CALENDAR = (
    Rule(
        "dates, range",
        f"(?P<m>{MONTH})月(?P<a>{DAY})(?P<u>[日号])(?P<to>[到至])(?P<b>{DAY})(?P<v>[日号])(?![线楼])",
        _date_range,
    ),
    Rule(
        "calendar, range", f"(?P<a>{DAY})(?P<to>[到至])(?P<b>{DAY})(?=(?P<unit>月|[日号](?![线楼])))", _calendar_range
    ),
    Rule("years, range", f"(?P<a>{ANY})[到至](?P<b>{LONG})(?=年)", _year_range),
    Rule(
        "hours, range",
        f"(?P<part>{DAY_PARTS})?(?P<a>{HOUR})(?P<to>[到至])(?P<later>{DAY_PARTS})?(?P<b>{HOUR})点(?={_O_CLOCK})"
        f"(?![{NUMERALS}刻])",
        _hour_range,
    ),
    Rule(
        "hours, about",
        f"(?P<part>{DAY_PARTS})?(?:(?P<head>二?十){PAIR}|(?P<nine>九十))点(?={_O_CLOCK})(?![{NUMERALS}刻])",
        _about_hours,
    ),
)

EXPRESSIONS = (
    Rule(
        "sum",
        f"{NUMBER}(?:{_OPERATOR}{NUMBER})+(?P<result>(?:等于|得){NUMBER})?(?![{NUMERALS}点])",
        _sum,
    ),
    Rule(
        "dimensions",
        f"{NUMBER}(?:{_LENGTHS})(?:[，、]?[长宽高深厚]{NUMBER}(?:{_LENGTHS}))+(?![{NUMERALS}])",
        _dimensions,
    ),
    Rule(
        "range, unit twice",
        f"(?P<a>{ANY})(?P<u>{COUNTER}(?<![月日点])|{MEASURE})(?P<to>[到至]第?)(?P<b>{ANY})(?P=u)",
        _twice,
    ),
    Rule("about, unit twice", f"(?P<a>{ANY})(?P<u>[天个次回])(?P<to>)(?P<b>{ANY})(?P=u)", _twice),
    Rule(
        "about, scaled",
        f"(?P<head>){PAIR}(?=[十百千万亿])(?P<scale>[十百千]?)(?P<group>[万亿]?)(?![{NUMERALS}点])",
        about,
    ),
    Rule("about, teens", f"(?P<head>{ONE}?十){PAIR}(?P<scale>)(?P<group>[万亿]?)(?![{NUMERALS}点])", about),
    Rule("about, hundreds", f"(?P<head>{LEAD}百){PAIR}(?P<scale>十)(?P<group>[万亿]?)(?![{NUMERALS}点])", about),
    Rule("about, tail", f"(?P<head>{CARDINAL}(?<=[百千万])){PAIR}(?P<scale>)(?P<group>)(?![{NUMERALS}点])", about),
    Rule("about, counted", f"(?P<head>){PAIR}(?P<scale>)(?P<group>)(?={COUNTER}(?<!年)|{MEASURE}|多|余)", about),
    Rule("about, years", f"(?=[一二]?两){PAIR}(?=年)", _about_years),
    Rule("range", f"{SIGN}(?P<a>{ANY})(?P<to>[到至]第?)(?P<b>{LONG})(?![{NUMERALS}点年月号日])", _range),
    Rule(
        "range, counted",
        f"{SIGN}(?P<a>{ANY})(?P<to>[到至])(?P<b>{ANY})(?={COUNTER}(?<![年月号日点])|{MEASURE}(?<!号))",
        _range,
    ),
    Rule("ratio", f"(?P<a>{ANY})比(?P<b>{ANY})(?![{NUMERALS}点]|较)", _ratio),
)
