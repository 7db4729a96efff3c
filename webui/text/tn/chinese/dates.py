"""Dates, years and times of day in a Chinese text."""

from __future__ import annotations

import re

from webui.text.tn.chinese import words
from webui.text.tn.chinese.numbers import digits, integer, number, versus
from webui.text.tn.rules import Rule

_MONTH = "(?P<m>0?[1-9]|1[0-2])"
_DAY = "(?P<d>0?[1-9]|[12]\\d|3[01])"
_YEAR = "(?:1[5-9]|20)\\d\\d"
_HALVES = {"a": "上午", "p": "下午"}


def _plain(written: str) -> str:
    """A month or day: 08 → 八."""
    return integer(written.lstrip("0") or "0")


def _date(match: re.Match[str]) -> str:
    day = match.groupdict().get("d")
    return f"{digits(match['y'])}年{_plain(match['m'])}月" + (f"{_plain(day)}日" if day else "")


def _years(match: re.Match[str]) -> str:
    return re.sub(r"\d+", lambda year: digits(year[0]), re.sub(r"(?<=[\d年])\s?[-~～–−—/]+\s?(?=\d)", "到", match[0]))


def _digits(match: re.Match[str]) -> str:
    return digits(match[0])


def _time(match: re.Match[str]) -> str | None:
    hour, minute, second = (int(match[name] or 0) for name in ("h", "min", "s"))
    if hour > 24:
        return None
    said = number(str(hour), "两") + "点"
    if minute or second:
        said += f"零{integer(str(minute))}分" if 0 < minute < 10 else f"{integer(str(minute))}分"
    if second:
        said += f"{integer(str(second))}秒"
    return _HALVES.get((match["half"] or "").lower()[:1], "") + said


RULES = (
    Rule(
        "date",
        "2025-01-02 is a day, not a sum",
        rf"(?P<y>\d{{4}})(?P<mark>[-/.·])(?:{_MONTH})(?P=mark){_DAY}(?!\d|[-/.](?!\d{{4}}[-/.])\d)",
        _date,
    ),
    Rule("short date", "12/2/2 has its year first", rf"(?P<y>\d\d)/{_MONTH}/{_DAY}(?![\d/])", _date),
    Rule(
        "date in a run",
        "20251120 with a real month and day",
        r"(?P<y>20[0-3]\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?=[日号会年晚早上下凌,，。的]|$)(?!日元)",
        _date,
    ),
    Rule(
        "season",
        "2024-25赛季 spans two years",
        r"(?:(?:19|20)\d\d[-/~～–—](?:19|20)?\d\d|\d\d[-/~～–—]\d\d)(?=赛季|学年|财年)"
        r"|(?:19|20)\d\d[-/~～–—]\d\d(?=年)",
        _years,
    ),
    Rule(
        "month of a year", "2002/01 is no fraction", r"(?P<y>(?:19|20)\d\d)[-/](?P<m>0[1-9]|1[0-2])(?![\d/.%-])", _date
    ),
    Rule(
        "years",
        "two years with a mark between them span the years from one to the other",
        rf"{_YEAR}年?\s?{words.SPAN_MARK}{{1,2}}\s?{_YEAR}(?![\d.]|{words.AMOUNT_BEHIND}(?<!年))(?!-\d)",
        _years,
    ),
    Rule(
        "listed years",
        "2025，2026两年: all of them are years",
        rf"{_YEAR}(?=(?:年?[、,，和及与至到]{_YEAR}){{1,6}}(?:年|[两三四五六]年|{words.YEARLY}))",
        _digits,
    ),
    Rule(
        "year of an era",
        "公元前202年 is a year, however short",
        r"\d{1,4}(?=年)|\d{4}(?!\d)",
        _digits,
        before=words.ERA,
    ),
    Rule(
        "era",
        "2934ad, 1234b.c.",
        r"(?P<n>\d{2,4})\s?(?P<era>[aA]\.?[dD]\b\.?|[bB]\.?[cC]\b\.?)(?![A-Za-z])",
        lambda match: f"公元{'前' if match['era'][0] in 'bB' else ''}{digits(match['n'])}年",
    ),
    Rule(
        "round years ago",
        "2000年前, 1500年历史 are spans",
        rf"[1-9]\d?00(?=年{words.YEARS_SINCE})",
        lambda match: number(match[0]),
    ),
    Rule(
        "span of years",
        "近1000年 counts years",
        r"[1-9]\d?00(?=年)",
        lambda match: number(match[0]),
        before=words.SPAN_OF_YEARS_BEFORE,
    ),
    Rule(
        "thousands of years",
        "3000年 is still far, 1000年 long ago",
        r"[13-9]000(?=年(?!\d))",
        lambda match: number(match[0]),
    ),
    Rule("year", "years are read digit by digit", rf"\d{{4}}(?={words.YEARLY})", _digits),
    Rule("year of an event", "2025春节", rf"20[0-4]\d(?={words.OF_YEAR})", _digits),
    Rule("short year", "86年8月, 89年出生, 05年", rf"\d\d(?=年{words.SHORT_YEAR_OF})|0\d(?=年)", _digits),
    Rule(
        "generation",
        "80后, 00后 are born in a decade",
        r"(?:\d0|[05-9]5)(?=后(?![面来天台年个分小门退勤方续腰卫补\d])|[、,，和]\d[05]后)",
        _digits,
    ),
    Rule(
        "remembered day",
        "5·12 is said by its digits",
        rf"\d{{1,2}}[·.]\d{{1,2}}(?={words.ANNIVERSARY})|(?:911|918|512|721)(?=(?:大?地震|事变))",
        lambda match: digits(match[0].replace(".", "")),
    ),
    Rule("title", "《1917》", r"\d{4}(?=》)", _digits, before="《"),
    Rule("year of a title", "《歌手2017》", r"(?:19|20)\d\d(?=》)", _digits),
    Rule("year in brackets", "太康元年（280）", r"\d{3,4}(?=[)）])", _digits, before="年[(（]"),
    Rule(
        "month or day",
        "02月, 08号 drop their zero",
        r"0(?P<n>[1-9])(?=[月日号点时])",
        lambda match: integer(match["n"]),
    ),
    Rule(
        "score with a colon",
        "比分 78:96 is no time of day",
        r"\d{1,3}[:：]\d{1,3}(?![:：\d])",
        versus,
        before=f"(?:{words.SCORE_BEFORE}|{words.TEAM}|{words.RATIO_BEFORE})(?:是|为|在)?\\s?",
    ),
    Rule(
        "score",
        "3:1获胜, 1:20的比例",
        rf"\d{{1,3}}[:：]\d{{1,3}}(?={words.SCORE_BEHIND}|的?(?:比例|配比|赔率))",
        versus,
    ),
    Rule(
        "time",
        "hours and minutes",
        r"(?P<h>\d{1,2})[:：](?P<min>[0-5]\d)(?:[:：](?P<s>[0-5]\d))?(?![\d]|[:：]\d)(?:\s?(?P<half>[aApP]\.?[mM](?![A-Za-z])\.?))?",
        _time,
    ),
    Rule(
        "ratio",
        "1:2000, 78:96",
        r"\d+(?:\.\d+)?(?:[:：]\d+(?:\.\d+)?){1,3}(?![:：]?\d)",
        lambda match: "比".join(number(part) for part in re.split("[:：]", match[0])),
    ),
)
