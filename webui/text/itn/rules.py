"""The rules of the inverse text normalisation, in order: a pattern and what is written for it.

Patterns see canonical text (`numbers`) in which kept phrases are masked. `write` may still decline (None).
"""

from __future__ import annotations

import re

from webui.text.itn.expressions import CALENDAR, EXPRESSIONS, about, ascends
from webui.text.itn.numbers import (
    CARDINAL,
    DIGIT_VALUES,
    DIGITS,
    FRACTION,
    INTEGER,
    NUMBER,
    NUMERALS,
    SCALED_UNIT,
    value,
    write_digits,
    write_integer,
    write_number,
)
from webui.text.itn.patterns import ANY, COUNTED, DAY, HOUR, LEAD, LONG, MINUTE, MONTH, ONE, PAIR, SIGN, Rule, sign
from webui.text.itn.words import COUNTER, DAY_PARTS, MEASURE, PROVINCES

_ENDS = "(?=\\W|$|的|了|吧|呢|啊|左右|多|以[上下])"
_LETTER_ALONE = "[A-Za-z](?![A-Za-z恤歌])"  # no word, no T恤, no K歌
_LETTERED = "层|楼|高速|航站|季度|出口|口|座|栋|幢|纸|处理器"  # B2层, G2高速, A4纸

_MAY_FOLLOW = re.compile(f"{LEAD}{COUNTER}|{SCALED_UNIT}")
_TENTH_OR_COUNT = re.compile(f"{ONE}{COUNTER}(?<!月)")
_TIMED = re.compile("发车|出发|到[校站达]|开[会门始]|上[课班]|下[课班]|放学|起[飞床]|结束|集合|之?前|左右")
_WHEN = re.compile(r"(?:[在从到至]|[今明昨后]天|现在是?)$")
_BEFORE_HOUR = re.compile(r"[点半][到至]$|差.{1,3}分钟?$")  # 两点到四点, 差五分钟九点
START = re.compile(
    f"(?:{DAY_PARTS})(?=[{NUMERALS}])|正?负(?=[{NUMERALS}百千])|[百千]分之|百分[百{NUMERALS}]|[{NUMERALS}]"
)


def joins_next_numeral(text: str, start: int, end: int) -> bool:
    """True where writing text[start:end] in digits would run into a number before or behind it."""
    if text[start - 1 : start].isdecimal() or text[end : end + 1].isdecimal():
        return True
    following = text[end : end + 1]
    if not following or following not in NUMERALS or text[end - 1] not in NUMERALS:
        return False
    if text[end - 1] in "百千万亿兆" and _TENTH_OR_COUNT.match(text, end):
        return True  # 三千六百六人 may be 3660 people: all of it stays
    return not _MAY_FOLLOW.match(text, end)


def _mark(match: re.Match[str]) -> str:
    return "%" if match["base"] == "百" else "‰"


def _percent(match: re.Match[str]) -> str:
    return sign(match) + write_number(match["n"]) + _mark(match)


def _percents(match: re.Match[str]) -> str:
    """百分之三十到四十 → 30%~40%: the sign is said once and belongs to both."""
    mark, before = _mark(match), match.string[match.start() - 1 : match.start()]
    return f"{write_number(match['a'])}{mark}{'到' if before == '从' else '~'}{write_number(match['b'])}{mark}"


def _about_percents(match: re.Match[str]) -> str | None:
    """百分之二三十 → 20%~30%, 百分之三四 → 3%~4%."""
    span = about(match)
    return span and span.replace("~", f"{_mark(match)}~") + _mark(match)


def _fraction(match: re.Match[str]) -> str:
    return f"{sign(match)}{write_integer(match['n'])}/{write_integer(match['d'])}"


def _year(match: re.Match[str]) -> str | None:
    digits = match["y"]
    if len(digits) == 2 and not match["month"] and ascends(digits[0], digits[1]):
        return None  # 五六年: 1956, or five to six years
    if len(digits) == 2 and digits[0] in "一二三" and not match["month"]:
        return None
    return write_digits(digits) + "年"


def _month_day(match: re.Match[str]) -> str:
    day = f"{value(match['d'])}{match['unit']}" if match["d"] else ""
    return f"{value(match['m'])}月{day}"


def _clock(match: re.Match[str]) -> str | None:
    hour = value(match["h"])
    part = match["part"] or ""
    if match["half"]:
        return f"{part}{hour}:30"
    if match["quarter"]:
        return f"{part}{hour}:{value(match['quarter']) * 15:02d}"
    minute = value(match["m"].lstrip("零") or "零")
    second = f":{value(match['s'].lstrip('零') or '零'):02d}" if match["s"] else ""
    if not (second or part or "十" in match["m"] or _says_when(match)):
        return None  # 三点五, 九点八分 are decimals, unless something says that it is an hour
    return f"{part}{hour}:{minute:02d}{second}"


def _says_when(match: re.Match[str]) -> bool:
    """Whether 零, a word before it or what happens then makes a time of 三点五."""
    before, behind = match.string[max(0, match.start() - 3) : match.start()], match.string[match.end() :][:1]
    if match["minute_mark"] and ("零" in match["m"] or not (before[-1:].isalnum() or behind.isalnum())):
        return True
    return bool(_WHEN.search(before) or _TIMED.match(match.string, match.end()))


def _hour(match: re.Match[str]) -> str | None:
    after_hour = _BEFORE_HOUR.search(match.string[max(0, match.start() - 7) : match.start()])
    if not (match["part"] or match["o_clock"] or after_hour or "十" in match["h"]):
        return None  # 三点 may be three points
    return f"{match['part'] or ''}{value(match['h'])}点"


def _money(match: re.Match[str]) -> str:
    tail = "".join(str(DIGIT_VALUES.get(character, character)) for character in match["tail"].removeprefix("零"))
    gap = "零" if match["tail"].startswith("零") else ""
    return write_number(match["n"]) + match["unit"] + gap + tail


def _code(match: re.Match[str]) -> str:
    return write_digits(match["run"])


def _dotted(match: re.Match[str]) -> str:
    return ".".join(write_digits(part) for part in match["run"].split("点"))


def _decimal(match: re.Match[str]) -> str:
    return sign(match) + write_number(match["n"])


def _cardinal(match: re.Match[str]) -> str | None:
    number = match["n"]
    if number == "十" and match["counted"] is None and not match["sign"]:
        return None
    if match.string[match.end() : match.end() + 1] == "几":
        return None
    return sign(match) + write_number(number)


def _measured(match: re.Match[str]) -> str | None:
    if match.string[match.start() - 1 : match.start()] == "第":
        return None
    return sign(match) + write_integer(match["n"])


_CLOCK_TAIL = (
    f"(?:(?P<half>半)|(?P<quarter>[一二三])刻|(?P<m>{MINUTE})(?:(?P<minute_mark>分(?!之))(?:(?P<s>{MINUTE})秒)?)?)"
)

RULES = (
    Rule(
        "percent, about",
        f"(?P<base>[百千])分之(?P<head>(?:{ONE}?十)?){PAIR}(?P<scale>(?<!十..)十)?(?P<group>)(?![{NUMERALS}点])",
        _about_percents,
    ),
    Rule(
        "percent, range",
        f"(?P<base>[百千])分之(?P<a>{NUMBER})[到至](?P<b>{NUMBER})(?![{NUMERALS}点]|{COUNTER}|{MEASURE})",
        _percents,
    ),
    Rule("percent", f"{SIGN}(?P<base>[百千])分之(?P<n>{ANY}|百)(?!点?分)", _percent),
    Rule("hundred percent", "百分百", lambda _match: "100%"),
    Rule("percent, short", f"百分(?P<n>{CARDINAL})(?![{NUMERALS}点])", lambda match: write_integer(match["n"]) + "%"),
    Rule(
        "mixed fraction",
        f"(?P<whole>{INTEGER})又(?P<d>{INTEGER})分之(?P<n>{INTEGER})",
        lambda match: "{}又{}/{}".format(*(write_integer(match[name]) for name in ("whole", "n", "d"))),
    ),
    Rule("fraction", f"{SIGN}(?P<d>{INTEGER})分之(?P<n>{INTEGER})", _fraction),
    Rule(
        "year",
        f"(?P<y>[{DIGITS}]{{4}}|[{DIGITS}]{{2}}|一[{DIGITS}]{{2}}(?=年))年(?=(?P<month>{MONTH}月)?)",
        _year,
    ),
    *CALENDAR,
    Rule("date", f"(?P<m>{MONTH})月(?:(?P<d>{DAY})(?P<unit>[日号]))?", _month_day),
    Rule("clock", f"(?P<part>{DAY_PARTS})?(?P<h>{HOUR})点{_CLOCK_TAIL}(?![钟点刻{NUMERALS}])", _clock),
    Rule(
        "hour",
        f"(?P<part>{DAY_PARTS})?(?P<h>{HOUR})点(?=(?P<o_clock>钟|整|左右|之前|以前|之后|以后|前|后|开始|到|至|差(?=[{NUMERALS}]))?)(?![{DIGITS}])",
        _hour,
    ),
    Rule("address", f"(?P<run>[{DIGITS}幺]+(?:点[{DIGITS}幺]+){{2,}})(?![{NUMERALS}])", _dotted),
    *EXPRESSIONS,
    Rule(
        "money",
        f"(?P<n>{ANY})(?P<unit>块|元)(?P<tail>{ONE}(?:[毛角](?:{ONE}分?)?)?|零{ONE}[毛角分])(?![{NUMERALS}点])"
        f"(?!{COUNTER}(?!邮)|钱)",
        _money,
    ),
    Rule("degrees", f"(?P<n>{CARDINAL})(?P<unit>度)(?P<tail>{ONE}){_ENDS}", _money),
    Rule("height", f"(?P<n>{ONE})(?P<unit>米)(?P<tail>{ONE}{{1,2}})(?![{NUMERALS}点])(?!{COUNTER})", _money),
    Rule("decimal", f"{SIGN}(?P<n>{INTEGER}{FRACTION})(?!点|(?!{SCALED_UNIT})[{NUMERALS}])(?!(?<=点一)是)", _decimal),
    Rule("plate", f"(?<=[{PROVINCES}][A-Z])(?P<run>[{DIGITS}幺A-Z]{{5,6}})(?![{NUMERALS}A-Za-z])", _code),
    Rule("discount", f"(?P<run>{ONE}[{DIGITS}])(?=折)", _code),
    Rule("code", f"(?P<run>(?=[{DIGITS}]{{3}}|[{DIGITS}]*幺)[{DIGITS}幺]{{2,}})(?![十百千万亿兆])", _code),
    Rule("cardinal", f"{SIGN}(?P<n>{LONG})(?P<counted>{COUNTED})?", _cardinal),
    Rule("below zero", f"零下(?P<n>{NUMBER})(?=度|摄氏|华氏)", lambda match: "零下" + write_number(match["n"])),
    Rule("signed", f"(?P<sign>正负|负)(?P<n>{INTEGER})(?![{NUMERALS}点])", _measured),
    Rule(
        "measure",
        f"(?P<sign>)(?P<n>{LEAD})(?={MEASURE}|分钟?{MINUTE}秒|度[到至](?:零下)?{INTEGER}度|乘二十四小时)",
        _measured,
    ),
    Rule("temperature", f"(?P<sign>)(?:(?<=度[到至])|(?<=温))(?P<n>{LEAD})(?=度)", _measured),
    Rule(
        "beside a letter",
        f"(?P<sign>)(?P<n>[两二三四五六七八九](?=\\s?{_LETTER_ALONE})|一(?=\\s?(?=[GMKTgmkt]){_LETTER_ALONE})"
        f"|(?:(?<=(?<![A-Za-z])[A-Za-z])|(?<=(?<![A-Za-z])[A-Za-z]\\s)){ONE}(?=\\s?(?:{_LETTERED})))",
        _measured,
    ),
)
