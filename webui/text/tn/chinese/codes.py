"""Numbers that are names in a Chinese text: telephones, accounts, rooms, trains, standards, versions, addresses."""

from __future__ import annotations

import re

from webui.text.tn.chinese import words
from webui.text.tn.chinese.numbers import digits, integer, is_round, telephone
from webui.text.tn.rules import Rule

_NO_AMOUNT = f"(?![\\d]|\\.\\d|,\\d{{3}}|\\s?{words.MONEY_BEHIND}|[万亿])"
_GROUP = f"(?: \\d{{3,6}}(?!\\d|\\s?{words.AMOUNT_BEHIND}|[.:%-]))"
_SHORT_AMOUNT = rf"(?!\d{{1,7}}(?:\.\d+)?\s?{words.AMOUNT_BEHIND})"
_CODE = (
    rf"{_SHORT_AMOUNT}(?=[A-Za-z-]{{0,8}}\d)[A-Za-z\d]{{1,40}}(?:-[A-Za-z\d]{{1,12}}){{0,6}}{_GROUP}{{0,6}}"
    r"(?![\d.]{0,3}\d)"
)
_DIALLED = (
    rf"{_SHORT_AMOUNT}\d{{2,16}}(?:[- ]\d{{3,8}}(?!\d|{words.AMOUNT_BEHIND})){{0,3}}"
    r"(?![\d.%:]{0,3}\d|%)"
)
_LETTERED = (
    r"(?P<letters>[A-Za-z]{1,10}-?|[A-Z]{2,5} (?=\d{4}))(?P<n>\d{3,})"
    rf"(?![\d.,:%]{{0,3}}\d|%|\s?{words.AMOUNT_BEHIND}(?<![GMTKB])|-\d)"
)
_LANDLINE = r"(?:[(（]0\d{2,3}[)）]|0\d{2,3})[- ]?\d{3,4}[- ]?\d{4}(?:-\d{1,5})?(?![\d.])|0\d{2,3}-\d{3,8}(?![\d.-])"
_EMERGENCY = "(?:110|119|120|122|114)"
_CALLED = rf"(?:{words.EMERGENCY_BEHIND}|台(?!阶)|来了|$|[，。！？,!?、和或及])"


def _spelt(match: re.Match[str]) -> str:
    return telephone(match[0])


def _digits(match: re.Match[str]) -> str:
    return digits(match[0])


def _telephone(match: re.Match[str]) -> str:
    return telephone(re.sub(r"[- ]", "", match[0]))


def _abroad(match: re.Match[str]) -> str:
    return "加" + telephone(re.sub(r"[-+ ()]", "", match[0]))


def _landline(match: re.Match[str]) -> str:
    return digits(re.sub(r"[- ]", "", match[0]))


def _code(match: re.Match[str]) -> str | None:
    """Letters stay, a hyphen is 杠; one or two digits are a number unless the noun can only mean a code."""
    code = match[0]
    figures = re.sub(r"\D", "", code)
    noun = match.string[max(0, match.start() - 8) : match.start()]
    if len(figures) < 3 and figures[0] != "0" and not re.search(words.SHORT_CODE_BEFORE, noun) and figures == code:
        return None
    return telephone(code.replace("-", "杠").replace(" ", ""))


def _by_phone(match: re.Match[str]) -> str | None:
    """转500 may be money; 转8012 is not."""
    figures = re.sub(r"\D", "", match[0])
    if len(figures) < 3 or (is_round(figures) and match.string[match.start() - 1] == "转" and len(figures) < 5):
        return None
    return _telephone(match)


def _named(match: re.Match[str]) -> str:
    """Digits behind letters: RTX4090, MU5137; A100 is said as a number."""
    return match["letters"].replace("-", " ") + _figures(match["n"])


def _figures(written: str) -> str:
    if is_round(written):
        return integer(written)
    return (digits if re.fullmatch(r"(?:19|20)\d\d", written) else telephone)(written)


def _standard(match: re.Match[str]) -> str:
    return match["body"] + digits(
        match["n"].replace(".", "点").replace("-", "杠").replace("—", "杠").replace("–", "杠")
    )


def _version(match: re.Match[str]) -> str:
    return "点".join(integer(part) if len(part) < 3 else digits(part) for part in match[0].split("."))


def _address(match: re.Match[str]) -> str:
    return digits(match[0].replace(".", "点"))


def _room(match: re.Match[str]) -> str:
    return "杠".join(telephone(part) if len(part) > 2 else integer(part) for part in match[0].split("-"))


def _telephone_or_round(match: re.Match[str]) -> str:
    return integer(match[0]) if match[0].endswith("00") else telephone(match[0])


RULES = (
    Rule(
        "address",
        "four numbers with points are a computer's address",
        r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![.:]?\d)",
        _address,
    ),
    Rule(
        "version",
        "three numbers with points are no date without a year of four digits",
        r"\d{1,5}(?:\.\d{1,5}){2,6}(?!\.?\d)",
        _version,
    ),
    Rule(
        "standard",
        "GB/T 1.1-2020 is a name, its year included",
        rf"(?P<body>{words.STANDARD}\s?)(?P<n>\d+(?:\.\d+){{0,3}}(?:-\d{{1,2}}(?!\d))?(?:[-:—–](?:19|20)\d\d(?!\d))?)",
        _standard,
    ),
    Rule(
        "standard with its year",
        "any letters with a number and a year: YY/T 0287-2017",
        r"(?P<body>[A-Z]{1,6}(?:/[A-Z]{1,3})?\s?)(?P<n>\d{1,6}(?:\.\d{1,3}){0,2}[-—–](?:19|20)\d\d)(?![\d年.-])",
        _standard,
    ),
    Rule(
        "document number",
        "国发〔2025〕29号, （2025）京0105民初123号: a year in brackets is one",
        r"(?:19|20)\d\d(?=[〕\]）)】])",
        _digits,
        before=r"[〔\[（(【]",
    ),
    Rule(
        "case number",
        "民初12345号",
        r"\d{3,}(?=号)",
        _spelt,
        before="[民刑行执破知商赔][初终再申监执特更]",
    ),
    Rule(
        "code behind a number sign",
        "订单#5678",
        r"#(?P<n>\d{3,20})号?(?![\d.])",
        lambda match: telephone(match["n"]),
        before=words.CODE_BEFORE,
    ),
    Rule(
        "code",
        "behind 验证码, 账号 and the like every digit counts",
        _CODE,
        _code,
        before=f"(?:{words.CODE_BEFORE}|(?<![\\d第一二三四五六七八九十几两])号[:：])",
    ),
    Rule(
        "abroad",
        "+86 before a telephone number",
        rf"(?:\+|00)?86[- ]?1[3-9]\d[- ]?\d{{4}}[- ]?\d{{4}}{_NO_AMOUNT}",
        _abroad,
    ),
    Rule(
        "identity card",
        "eighteen digits, the last perhaps X",
        rf"[1-9]\d{{16}}[\dXx]{_NO_AMOUNT}(?![A-Za-z])",
        _spelt,
    ),
    Rule(
        "mobile",
        "eleven digits from 13 to 19",
        rf"1[3-9]\d(?P<gap>[- ]?)\d{{4}}(?P=gap)\d{{4}}{_NO_AMOUNT}(?![个名件条])",
        _telephone,
    ),
    Rule(
        "service line",
        "400-820-8820",
        rf"[48]00\d?[- ]\d{{3,4}}[- ]?\d{{3,4}}{_NO_AMOUNT}|[48]00\d{{7}}{_NO_AMOUNT}(?![个名件条])",
        _telephone,
    ),
    Rule(
        "landline",
        "an area code begins with 0",
        _LANDLINE,
        _landline,
    ),
    Rule(
        "plate",
        "京A88888",
        r"[A-Z][·•]?(?=[A-Z]{0,5}\d)[A-Z0-9]{4,6}(?![A-Za-z0-9])",
        _spelt,
        before=words.PLATE,
    ),
    Rule(
        "behind a telephone",
        "拨打12345, 转8012",
        _DIALLED,
        _by_phone,
        before=words.TELEPHONE_BEFORE,
    ),
    Rule(
        "emergency",
        "110 by itself, or where it is called",
        rf"{_EMERGENCY}(?=\s?{_CALLED})",
        _spelt,
        before="^|[打拨报叫]了?|给|[，。、和或]",
    ),
    Rule(
        "emergency service",
        "110报警",
        rf"{_EMERGENCY}(?={words.EMERGENCY_BEHIND})",
        _spelt,
    ),
    Rule(
        "known number",
        "211工程, 12306: numbers that everybody says so",
        rf"{words.KNOWN_NUMBER}{_NO_AMOUNT}(?!\s?{words.AMOUNT_BEHIND})",
        _spelt,
    ),
    Rule(
        "line",
        "12345热线, 给12315打个电话",
        rf"\d{{3,6}}(?=\s?(?:{words.SERVICE_BEHIND}|打个?电话))(?<!00)",
        _spelt,
    ),
    Rule("room", "1203室, 302病房", rf"[1-9]\d{{2,3}}[A-Z]?(?=\s?{words.ROOM_BEHIND})", _spelt),
    Rule(
        "place",
        "房间1203, 波音747",
        rf"\d{{3,5}}(?!\d|\s?{words.AMOUNT_BEHIND}|\.\d)",
        _spelt,
        before=words.PLACE_BEFORE,
    ),
    Rule("flat", "A座1203", r"\d{3,4}(?!\d|\.\d)", _spelt, before=r"[A-Za-z\d一二三四五六七八九十](?:[座栋幢]|单元)"),
    Rule("bus", "332路 is a bus", r"[1-9]\d\d(?=路(?!人|程|费))", _telephone_or_round),
    Rule(
        "resolution",
        "1080P",
        r"(?:1080|720|480|360|1440|2160|4320)(?=[pPiI](?![A-Za-z0-9]))",
        _spelt,
    ),
    Rule(
        "train",
        "G100次 is a train",
        r"(?P<letters>[GDCZTKYSL])(?P<n>\d{2,4})(?=次)",
        lambda match: match["letters"] + (telephone if len(match["n"]) > 2 else integer)(match["n"]),
    ),
    Rule(
        "named by letters",
        "three digits and more behind letters are a name",
        _LETTERED,
        _named,
    ),
    Rule(
        "model",
        "i7-12700K",
        r"(?P<letters>[A-Za-z]{1,4})(?P<series>\d{1,2})-(?P<n>\d{3,5})(?!\d|[-.]\d)",
        lambda match: f"{match['letters']}{integer(match['series'])} {telephone(match['n'])}",
    ),
    Rule(
        "numbered model",
        "910B; not 128G or 220V",
        r"(?P<n>\d{3,4})(?P<letter>[B-FHQ-SXYZ])(?![A-Za-z0-9])",
        lambda match: _figures(match["n"]) + match["letter"],
    ),
    Rule("formation", "3-5-2阵型", r"\d(?:-\d){2,3}(?=的?阵[型容式])", lambda match: digits(match[0].replace("-", ""))),
    Rule("door", "3-2-1056, 8-2-301室 name a door", r"\d{1,9}(?:-\d{1,9}){2,6}(?![\d=]|\s=|-\d)", _room),
    Rule("zeros in front", "0931 is no amount", r"0\d+(?![.\d])", _digits),
    Rule(
        "figure",
        "图3-1 is no difference",
        r"\d{1,3}(?:[-–]\d{1,3}){1,2}(?!\d)",
        _room,
        before="(?<![地企试版意])[图表式例]\\s?[(（]?",
    ),
)
