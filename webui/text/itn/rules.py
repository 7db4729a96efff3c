"""The rules of the inverse text normalisation, in order: a pattern and what is written for it.

Patterns see canonical text (itn_numbers) in which kept phrases are masked. `write` may still decline (None).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from webui.text.itn.numbers import (
    CARDINAL,
    DIGIT_VALUES,
    DIGITS,
    INTEGER,
    NUMBER,
    NUMERALS,
    value,
    write_digits,
    write_integer,
    write_number,
)
from webui.text.itn.words import COUNTER, DAY_PARTS, MEASURE

_ONE = "[一二三四五六七八九]"
_TAIL = f"(?:(?<=[百千万亿兆]){_ONE}(?![{NUMERALS}点])(?!{COUNTER}(?<![块元角毛分米岁斤号两度])))"
_LONG = f"(?:{CARDINAL}{_TAIL}?)"
_ANY = f"(?:{NUMBER}{_TAIL}?)"
_LEAD = "[一二两三四五六七八九]"
_PAIR = f"(?P<a>{_LEAD})(?P<b>{_LEAD})"
_SIGN = "(?P<sign>正负|负)?"
_SIGNS = {"正负": "±", "负": "-"}
_COUNTED = f"(?={COUNTER}|{MEASURE}|多|余|来|[十百千万亿])"
_HOUR = "(?:二十[一二三四]?|十[一二三四五六七八九]?|[零一二两三四五六七八九])"
_MINUTE = "(?:[二三四五]?十[一二三四五六七八九]?|零?[一二三四五六七八九]|零零)"
_MONTH = "(?:十[一二]?|[一二三四五六七八九])"
_DAY = "(?:三十一?|二?十[一二三四五六七八九]?|二十|[一二三四五六七八九])"

_ENDS = "(?=\\W|$|的|了|吧|呢|啊|左右|多|以[上下])"
_LETTER_ALONE = "[A-Za-z](?![A-Za-z恤歌])"  # no word, no T恤, no K歌
_LETTERED = "层|楼|高速|航站|季度|出口|口|座|栋|幢|纸|处理器"  # B2层, G2高速, A4纸

_MAY_FOLLOW = re.compile(f"{_LEAD}{COUNTER}|千[克米瓦伏卡赫]")
_TIMED = re.compile("发车|出发|到[校站达]|开[会门始]|上[课班]|下[课班]|放学|起[飞床]|结束|集合|之?前|左右")
_BEFORE_HOUR = re.compile(r"[点半][到至]$|差.{1,3}分钟?$")  # 两点到四点, 差五分钟九点
START = re.compile(
    f"(?:{DAY_PARTS})(?=[{NUMERALS}])|正?负(?=[{NUMERALS}百千])|[百千]分之|百分[百{NUMERALS}]|[{NUMERALS}]"
)


@dataclass(frozen=True)
class Rule:
    """`write` gives the written form of a match of `pattern`, or None where it is no such thing after all."""

    name: str
    source: str
    write: Callable[[re.Match[str]], str | None]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when first used: all of them take longer than anything else that the program starts with."""
        return re.compile(self.source)


def joins_next_numeral(text: str, start: int, end: int) -> bool:
    """True where writing text[start:end] in digits would run into a number before or behind it."""
    if text[start - 1 : start].isdecimal() or text[end : end + 1].isdecimal():
        return True
    following = text[end : end + 1]
    if not following or following not in NUMERALS or text[end - 1] not in NUMERALS:
        return False
    return not _MAY_FOLLOW.match(text, end)


def _sign(match: re.Match[str]) -> str:
    return _SIGNS.get(match["sign"] or "", "")


def _mark(match: re.Match[str]) -> str:
    return "%" if match["base"] == "百" else "‰"


def _percent(match: re.Match[str]) -> str:
    return _sign(match) + write_number(match["n"]) + _mark(match)


def _percents(match: re.Match[str]) -> str:
    """百分之三十到四十 → 30%~40%: the sign is said once and belongs to both."""
    mark, before = _mark(match), match.string[match.start() - 1 : match.start()]
    return f"{write_number(match['a'])}{mark}{'到' if before == '从' else '~'}{write_number(match['b'])}{mark}"


def _about_percents(match: re.Match[str]) -> str | None:
    """百分之二三十 → 20%~30%, 百分之三四 → 3%~4%."""
    about = _about(match)
    return about and about.replace("~", f"{_mark(match)}~") + _mark(match)


def _fraction(match: re.Match[str]) -> str:
    return f"{_sign(match)}{write_integer(match['n'])}/{write_integer(match['d'])}"


def _year(match: re.Match[str]) -> str | None:
    digits = match["y"]
    if len(digits) == 2 and not match["month"] and _ascends(digits[0], digits[1]):
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
    said_alone = not match["minute_mark"] and not second
    if said_alone and not part and "十" not in match["m"] and not _TIMED.match(match.string, match.end()):
        return None  # 三点五 is a decimal unless it says 分, the time of day, or what happens then
    return f"{part}{hour}:{minute:02d}{second}"


def _hour(match: re.Match[str]) -> str | None:
    after_hour = _BEFORE_HOUR.search(match.string[max(0, match.start() - 7) : match.start()])
    if not (match["part"] or match["o_clock"] or after_hour or "十" in match["h"]):
        return None  # 三点 may be three points
    return f"{match['part'] or ''}{value(match['h'])}点"


def _ascends(first: str, second: str) -> bool:
    low, high = DIGIT_VALUES[first], DIGIT_VALUES[second]
    return low > 0 and (high - low == 1 or (low, high) == (3, 5))


def _about(match: re.Match[str]) -> str | None:
    """三五百 → 300~500, 四十五六万 → 45~46万, 七百三四十 → 730~740, 一万六七 → 16000~17000, 三五个 → 3~5个."""
    if not _ascends(match["a"], match["b"]):
        return None
    head, scale, group = (match[name] or "" for name in ("head", "scale", "group"))
    low, high = (value(head + match[name] + scale) for name in ("a", "b"))
    return f"{low}~{high}{group}"


def _about_years(match: re.Match[str]) -> str | None:
    """两三年 → 2~3年; 五六年 may be 1956 and stays."""
    return f"{DIGIT_VALUES[match['a']]}~{DIGIT_VALUES[match['b']]}" if _ascends(match["a"], match["b"]) else None


def _range(match: re.Match[str]) -> str | None:
    if match.string[match.start() - 1 : match.start()] in ("从", "第"):
        return None
    return f"{_sign(match)}{write_number(match['a'])}~{write_number(match['b'])}"


def _ratio(match: re.Match[str]) -> str:
    return f"{write_number(match['a'])}比{write_number(match['b'])}"


def _money(match: re.Match[str]) -> str:
    tail = "".join(str(DIGIT_VALUES.get(character, character)) for character in match["tail"].removeprefix("零"))
    gap = "零" if match["tail"].startswith("零") else ""
    return write_number(match["n"]) + match["unit"] + gap + tail


def _code(match: re.Match[str]) -> str:
    return write_digits(match["run"])


def _dotted(match: re.Match[str]) -> str:
    return ".".join(write_digits(part) for part in match["run"].split("点"))


def _decimal(match: re.Match[str]) -> str:
    return _sign(match) + write_number(match["n"])


def _cardinal(match: re.Match[str]) -> str | None:
    number = match["n"]
    if number == "十" and match["counted"] is None and not match["sign"]:
        return None
    if match.string[match.end() : match.end() + 1] == "几":
        return None
    return _sign(match) + write_number(number)


def _measured(match: re.Match[str]) -> str | None:
    if match.string[match.start() - 1 : match.start()] == "第":
        return None
    return _sign(match) + write_integer(match["n"])


_CLOCK_TAIL = (
    f"(?:(?P<half>半)|(?P<quarter>[一二三])刻|(?P<m>{_MINUTE})(?P<minute_mark>分(?!之))?(?:(?P<s>{_MINUTE})秒)?)"
)

RULES = (
    Rule(
        "percent, about",
        f"(?P<base>[百千])分之(?P<head>(?:{_ONE}?十)?){_PAIR}(?P<scale>(?<!十..)十)?(?P<group>)(?![{NUMERALS}点])",
        _about_percents,
    ),
    Rule(
        "percent, range",
        f"(?P<base>[百千])分之(?P<a>{NUMBER})[到至](?P<b>{NUMBER})(?![{NUMERALS}点]|{COUNTER}|{MEASURE})",
        _percents,
    ),
    Rule("percent", f"{_SIGN}(?P<base>[百千])分之(?P<n>{_ANY}|百)(?!点?分)", _percent),
    Rule("hundred percent", "百分百", lambda _match: "100%"),
    Rule("percent, short", f"百分(?P<n>{CARDINAL})(?![{NUMERALS}点])", lambda match: write_integer(match["n"]) + "%"),
    Rule("fraction", f"{_SIGN}(?P<d>{INTEGER})分之(?P<n>{INTEGER})", _fraction),
    Rule(
        "year",
        f"(?P<y>[{DIGITS}]{{4}}|[{DIGITS}]{{2}}|一[{DIGITS}]{{2}}(?=年))年(?=(?P<month>{_MONTH}月)?)",
        _year,
    ),
    Rule("date", f"(?P<m>{_MONTH})月(?:(?P<d>{_DAY})(?P<unit>[日号]))?", _month_day),
    Rule("clock", f"(?P<part>{DAY_PARTS})?(?P<h>{_HOUR})点{_CLOCK_TAIL}(?!钟|[{NUMERALS}]|刻)", _clock),
    Rule(
        "hour",
        f"(?P<part>{DAY_PARTS})?(?P<h>{_HOUR})点(?=(?P<o_clock>钟|整|左右|之前|以前|之后|以后|前|后|开始|到|至|差(?=[{NUMERALS}]))?)(?![{DIGITS}])",
        _hour,
    ),
    Rule("address", f"(?P<run>[{DIGITS}幺]+(?:点[{DIGITS}幺]+){{2,}})(?![{NUMERALS}])", _dotted),
    Rule(
        "about, scaled",
        f"(?P<head>){_PAIR}(?=[十百千万亿])(?P<scale>[十百千]?)(?P<group>[万亿]?)(?![{NUMERALS}点])",
        _about,
    ),
    Rule("about, teens", f"(?P<head>{_ONE}?十){_PAIR}(?P<scale>)(?P<group>[万亿]?)(?![{NUMERALS}点])", _about),
    Rule("about, hundreds", f"(?P<head>{_LEAD}百){_PAIR}(?P<scale>十)(?P<group>[万亿]?)(?![{NUMERALS}点])", _about),
    Rule("about, tail", f"(?P<head>{CARDINAL}(?<=[百千万])){_PAIR}(?P<scale>)(?P<group>)(?![{NUMERALS}点])", _about),
    Rule("about, counted", f"(?P<head>){_PAIR}(?P<scale>)(?P<group>)(?={COUNTER}(?<!年)|{MEASURE}|多|余)", _about),
    Rule("about, years", f"(?=[一二]?两){_PAIR}(?=年)", _about_years),
    Rule("range", f"{_SIGN}(?P<a>{_ANY})[到至](?P<b>{_LONG})(?![{NUMERALS}点年月号日])", _range),
    Rule(
        "range, counted",
        f"{_SIGN}(?P<a>{_ANY})[到至](?P<b>{_ANY})(?={COUNTER}(?<![年月号日点])|{MEASURE}(?<!号))",
        _range,
    ),
    Rule("ratio", f"(?P<a>{_ANY})比(?P<b>{_ANY})(?![{NUMERALS}点]|较)", _ratio),
    Rule(
        "money",
        f"(?P<n>{_ANY})(?P<unit>块|元)(?P<tail>{_ONE}(?:[毛角](?:{_ONE}分?)?)?|零{_ONE}[毛角分])(?![{NUMERALS}点])"
        f"(?!{COUNTER}(?!邮)|钱)",
        _money,
    ),
    Rule("degrees", f"(?P<n>{CARDINAL})(?P<unit>度)(?P<tail>{_ONE}){_ENDS}", _money),
    Rule("height", f"(?P<n>{_ONE})(?P<unit>米)(?P<tail>{_ONE}{{1,2}})(?![{NUMERALS}点])(?!{COUNTER})", _money),
    Rule("decimal", f"{_SIGN}(?P<n>{INTEGER}点[{DIGITS}]+[万亿]?)(?![{NUMERALS}点])(?!是)", _decimal),
    Rule("discount", f"(?P<run>{_ONE}[{DIGITS}])(?=折)", _code),
    Rule("code", f"(?P<run>(?=[{DIGITS}]{{3}}|[{DIGITS}]*幺)[{DIGITS}幺]{{2,}})(?![十百千万亿兆])", _code),
    Rule("cardinal", f"{_SIGN}(?P<n>{_LONG})(?P<counted>{_COUNTED})?", _cardinal),
    Rule("below zero", f"零下(?P<n>{NUMBER})(?=度|摄氏|华氏)", lambda match: "零下" + write_number(match["n"])),
    Rule("signed", f"(?P<sign>正负|负)(?P<n>{INTEGER})(?![{NUMERALS}点])", _measured),
    Rule(
        "measure",
        f"(?P<sign>)(?P<n>{_LEAD})(?={MEASURE}|分钟?{_MINUTE}秒|度[到至](?:零下)?{INTEGER}度|乘二十四小时)",
        _measured,
    ),
    Rule("temperature", f"(?P<sign>)(?:(?<=度[到至])|(?<=温))(?P<n>{_LEAD})(?=度)", _measured),
    Rule(
        "beside a letter",
        f"(?P<sign>)(?P<n>[两二三四五六七八九](?=\\s?{_LETTER_ALONE})|一(?=\\s?(?=[GMKTgmkt]){_LETTER_ALONE})"
        f"|(?:(?<=(?<![A-Za-z])[A-Za-z])|(?<=(?<![A-Za-z])[A-Za-z]\\s)){_ONE}(?=\\s?(?:{_LETTERED})))",
        _measured,
    ),
)
