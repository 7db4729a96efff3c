"""Amounts in a Chinese text: money, percentages, measures, fractions, ranges, lists and plain numbers."""

from __future__ import annotations

import re
from functools import cache

from webui.text.tn import units
from webui.text.tn.chinese import words
from webui.text.tn.chinese.numbers import NUMBER, SIGNS, digits, integer, is_round, number, telephone, value, versus
from webui.text.tn.rules import Rule, any_of

_SIGN = r"(?P<sign>(?<![0-9A-Za-z)）%℃])[-−+±]|)"
_PAIR = rf"{_SIGN}(?P<a>{NUMBER})(?:{words.RANGE}(?P<sign_b>[-−]?)(?P<b>{NUMBER}))?"
_CURRENCY = any_of(words.CURRENCIES)
_CODES = any_of(filter(str.isalpha, words.CURRENCIES))
_SCALE = r"(?P<scale>[百千]?[万亿]+|[千百]|(?:[kKmMbB]|bn)(?![A-Za-z]))?"
_PER = rf"(?:10{{1,3}})?(?:{words.PER}|{units.TOKEN}|[dah](?![A-Za-z0-9]))"
_PERS = rf"(?P<pers>(?:/(?:{_PER}|\({_PER}[·*]{_PER}\))){{0,2}})"
_RATES = any_of(words.RATES)
_SHARES = {"%": "百分之", "‰": "千分之", "‱": "万分之"}
_LIANG = rf"(?:{words.RANGE}\d{{1,4}}(?:\.\d+)?)?\s?{words.TAKES_LIANG}"
_ORDINAL = re.compile(r"第[\d、,，和到至~～– -]{0,12}$|[A-Za-z]$|(?:负|地下)$")
_FLOOR = re.compile("(?:在|到|去|住|于|上|至|下)$")


def _pair(match: re.Match[str], two: str = "二", before: str = "") -> str:
    """One number, or two with 到 between them; `before` is said before each."""
    said = SIGNS[match["sign"] or ""] + before + number(match["a"], two)
    if match["b"] is None:
        return said
    return f"{said}到{SIGNS[match['sign_b'] or '']}{before}{number(match['b'], two)}"


def _share(match: re.Match[str]) -> str:
    return _pair(match, before=_SHARES[match["base"]])


def _money(match: re.Match[str]) -> str:
    sign, name = match["sign"] or match["minus"] or "", words.CURRENCIES[match["currency"]]
    said, scale = _scaled(match["a"], match["scale"] or "")
    if match["b"]:
        said = f"{number(match['a'], '两')}到{_scaled(match['b'], match['scale'] or '')[0]}"
    return _per(match["pers"]) + SIGNS[sign] + said + scale + name


def _scaled(written: str, scale: str) -> tuple[str, str]:
    """A number and the scale that is said behind it: 1.5, M → 一百五十万."""
    if scale not in words.SCALES:
        return number(written, "两"), scale
    scaled = value(written) * words.SCALES[scale]
    return number(format(scaled.normalize(), "f"), "两"), ""


def _money_behind(match: re.Match[str]) -> str:
    return f"{_pair(match, '两')}{match['scale'] or ''}{words.CURRENCIES[match['currency']]}"


def _per(pers: str | None) -> str:
    """What is said first for /kg or /m³: 每千克, 每立方米."""
    return "".join(f"每{_per_name(per)}" for per in _denominators(pers))


def _denominators(pers: str | None) -> list[str]:
    return [per for per in re.split(r"[/·*()]", pers or "") if per]


def _per_name(per: str) -> str:
    """The name of a unit behind a slash, perhaps with a number (100km); "" for letters that are none."""
    name = per.lstrip("0123456789")
    many = per[: len(per) - len(name)]
    found = units.unit(name)
    said = found.chinese if found else words.SHORT_PER.get(name, "" if name.isascii() else name)
    return said and (integer(many) if many else "") + said


def _measure(match: re.Match[str]) -> str | None:
    written = match["unit"]
    found = units.unit(written)
    behind = match.string[match.end("unit") :][:2]
    pers = match["pers"]
    if found is None or "" in map(_per_name, _denominators(pers)):
        return None
    if len(written) == 1 and written.isalpha() and _is_letter(match, written, behind):
        return None
    return _per(pers) + _pair(match, "两") + found.chinese


def _is_letter(match: re.Match[str], written: str, behind: str) -> bool:
    """5A景区, iPhone 5s: one letter is often no unit."""
    if re.search(r"(?:[A-Za-z][ -]?|[位座车排])$", match.string[max(0, match.start() - 2) : match.start()]):
        return True
    if written in "Ur":
        return not match["pers"]
    if written in "AVWLJN" and re.match(words.LETTER_BEHIND, behind):
        return True
    return re.fullmatch(r"\d{1,2}A", match[0]) is not None and not _is_current(match)


def _is_current(match: re.Match[str]) -> bool:
    """电流5A, 5A的电流, 5V/3A, 5A by itself; not A区5A."""
    before, behind = match.string[max(0, match.start() - 14) : match.start()], match.string[match.end() :][:20]
    alone = re.search(r"\w", before + behind) is None
    return alone or bool(re.search(words.CURRENT_BEFORE, before) or re.match(words.CURRENT_BEHIND, behind))


def _duration(match: re.Match[str]) -> str:
    parts = zip(("h", "min", "s"), ("小时", "分钟", "秒"), strict=True)
    return "".join(number(match[part], "两") + name for part, name in parts if match[part])


def _scientific(match: re.Match[str]) -> str:
    power = "负" * (match["minus"] != "+") + integer(match["n"].lstrip("0") or "0")
    return f"{SIGNS[match['sign'] or '']}{number(match['a'])}乘十的{power}次方"


def _rate(match: re.Match[str]) -> str:
    before, behind = words.RATES[match["unit"]]
    return before + _pair(match, "两") + behind


def _unit_alone(match: re.Match[str]) -> str | None:
    found = units.unit(match[0])
    return found and found.chinese


def _acceleration(match: re.Match[str]) -> str:
    return f"每二次方秒{number(match['a'], '两')}米"


def _counted_per(match: re.Match[str]) -> str | None:
    name = _per_name(match["per"])
    return f"每{name}{_pair(match, '两')}{match['scale'] or ''}{match['unit']}" if name else None


def _ten_thousands(match: re.Match[str]) -> str:
    return _pair(match, "两") + "万"


def _fraction(match: re.Match[str]) -> str:
    whole = f"{number(match['whole'])}又" if match["whole"] else ""
    return f"{SIGNS[match['sign'] or '']}{whole}{number(match['d'])}分之{number(match['n'])}"


def _range(match: re.Match[str]) -> str:
    """A mark between two bare numbers: 到 where the second is the greater or counts something, else 减."""
    a, b, hyphen = match["a"], match["b"], match["mark"].strip() == "-"
    sign = SIGNS[match["sign"] or ""]
    if re.match(r"0\d", a) or re.match(r"0\d", b):
        return f"{telephone(a)}杠{telephone(b)}"
    if hyphen and _in_a_sum(match):
        return f"{sign}{number(a)}减{number(b)}"
    if hyphen and value(a) >= value(b) and not re.match(r"\s?[㐀-鿿]", match.string[match.end() :][:2]):
        return f"{sign}{number(a)}{'杠' if max(len(a), len(b)) > 3 else '减'}{number(b)}"
    return f"{sign}{_counted(match, 'a')}到{SIGNS[match['sign_b'] or '']}{_counted(match, 'b')}"


def _in_a_sum(match: re.Match[str]) -> bool:
    """5-3=2, 2×5-3."""
    text = match.string
    before, behind = text[max(0, match.start() - 2) : match.start()], text[match.end() :][:3]
    return re.match(r"\s?(?:=|等于)", behind) is not None or re.search(rf"{words.MINUS_BEFORE}\s?$", before) is not None


def _counted(match: re.Match[str], name: str = "a") -> str:
    """A number by what follows it: 两 where it counts, 二 where it orders."""
    written, text = match[name], match.string
    if written != "2":
        return number(written)
    at = match.end(name)
    before = text[max(0, match.start() - 14) : match.start()]
    if _ORDINAL.search(before) or (text[at : at + 1] == "层" and _FLOOR.search(before)):
        return "二"
    return "两" if _takes_liang().match(text, at) else "二"


@cache
def _takes_liang() -> re.Pattern[str]:
    return re.compile(_LIANG)


def _plain(match: re.Match[str]) -> str:
    return SIGNS[match["sign"] or ""] + _counted(match)


def _size(match: re.Match[str]) -> str:
    """1920×1080 by digits, 100×200 not."""
    return "乘".join(integer(part) if is_round(part) else digits(part) for part in (match["a"], match["b"]))


def _designated(match: re.Match[str]) -> str:
    return _name(match["n"])


def _name(written: str) -> str:
    return telephone(written) if len(written) > 2 and not is_round(written) else integer(written)


MONEY = (
    Rule(
        "money",
        "the currency stands first and is said last",
        rf"(?P<sign>(?<![0-9A-Za-z)）%℃])[-−]|)(?<![A-Za-z])(?P<currency>{_CURRENCY})\s?(?P<minus>[-−]?)(?P<a>{NUMBER})"
        rf"(?:{words.RANGE}{_CURRENCY}?(?P<b>{NUMBER}))?{_SCALE}(?:元|块)?{_PERS}",
        _money,
    ),
    Rule(
        "money behind",
        "100RMB",
        rf"{_PAIR}(?P<scale>[万亿千百]*)\s?(?P<currency>{_CODES}(?![A-Za-z])|[$€£￥¥₩](?!\d))",
        _money_behind,
    ),
)

RULES = (
    Rule(
        "scientific",
        "1e-5 is no range; 3E-12室 is a door",
        rf"{_SIGN}(?P<a>(?<![A-Za-z\d.])\d+(?:\.\d+)?)[eE](?P<minus>[-−+])(?P<n>\d{{1,3}})(?![A-Za-z\d室号座栋房楼]|\.\d)",
        _scientific,
    ),
    Rule(
        "duration",
        "1h30min, 2m30s: hours, minutes and seconds in a row; 2m alone is a length",
        r"(?<![A-Za-z\d.])(?:(?P<h>\d{1,3})[hH]\s?(?=\d{1,2}m)|(?=\d{1,3}m(?:in)?\s?\d{1,2}s))"
        r"(?P<min>\d{1,3})m(?:in)?(?:\s?(?P<s>\d{1,2})s(?:ec)?)?(?![A-Za-z\d²³])",
        _duration,
    ),
    Rule("share", "percent and its kin; a range shares one sign", rf"{_PAIR}\s?(?P<base>[%‰‱])", _share),
    Rule(
        "blood pressure",
        "120/80 is no fraction",
        r"\d{2,3}/\d{2,3}\s?(?:mmHg|毫米汞柱)",
        lambda match: versus(match) + "毫米汞柱",
    ),
    Rule(
        "blood pressure by its noun",
        "血压120/80",
        r"\d{2,3}/\d{2,3}(?!\d)",
        versus,
        before="(?:血压|高压|低压)[是为:：为在约 ]{0,3}",
    ),
    Rule(
        "ten thousands", "300w is 三百万", rf"{_PAIR}(?:w|W(?=[+人粉元块字播浏用阅观]))(?![A-Za-z0-9])", _ten_thousands
    ),
    Rule("acceleration", "m/s²", rf"(?P<a>{NUMBER})\s?m/s[²2](?!\d)", _acceleration),
    Rule(
        "measure",
        "all the letters behind a number are one unit, or none",
        rf"{_PAIR}\s?(?P<unit>{units.TOKEN}){_PERS}",
        _measure,
    ),
    Rule("rate", "120bpm is 每分钟一百二十次", rf"{_PAIR}\s?(?P<unit>{_RATES})(?![A-Za-z])", _rate),
    Rule("unit behind a scale", "5万km, 10多kg", units.TOKEN, _unit_alone, before=r"\d[多余几万亿千百]{1,2}\s?"),
    Rule(
        "counted per",
        "5元/月 is 每月五元",
        rf"{_PAIR}(?P<scale>[万亿千百]*)(?P<unit>{words.COUNTED})\s?/\s?(?P<per>{words.PER}|{units.TOKEN})",
        _counted_per,
    ),
    Rule(
        "score with a hyphen",
        "中国1-2, 比分3-1",
        r"\d{1,3}\s?[-–]\s?\d{1,3}(?![\d.%/]|[-–]\d|[个名万亿年月号点]|日(?!本))",
        versus,
        before=f"(?:{words.SCORE_BEFORE}|{words.TEAM})\\s?",
    ),
    Rule(
        "alternatives",
        "6/7月份 is no fraction",
        r"(?P<a>\d{1,2})/(?P<b>\d{1,2})(?=[月号楼班路])",
        lambda match: f"{number(match['a'])}、{number(match['b'])}",
    ),
    Rule("drawn", "拉齐奥 2/2", r"\d{1,2}/\d{1,2}(?![\d.%/])", versus, before=f"{words.TEAM}\\s?"),
    Rule("score behind", "3-1获胜", rf"\d{{1,3}}[-–]\d{{1,3}}(?={words.SCORE_BEHIND})", versus),
    Rule("fraction", "1/3 is 三分之一", rf"{_SIGN}(?:(?P<whole>\d+)又)?(?P<n>\d+)/(?P<d>\d+)(?![/\d.])", _fraction),
    Rule("size", "1920×1080 is said by its digits", r"(?P<a>\d{3,5})\s?[x×X*]\s?(?P<b>\d{3,5})(?![\d.])", _size),
    Rule(
        "range",
        "a mark between two numbers",
        rf"{_SIGN}(?P<a>{NUMBER})(?P<mark>\s?(?:[-~～–−]|—{{1,2}})\s?)(?P<sign_b>[-−]?)(?P<b>{NUMBER})(?![-–]\d)",
        _range,
    ),
    Rule("designated", "图-160 is a name", r"(?P<n>\d{1,4})(?![.\d])", _designated, before=words.DESIGNATOR + "[-–−]"),
    Rule("plain number", "what is left is an amount", rf"{_SIGN}(?P<a>{NUMBER})", _plain),
)
