"""Dates, years and times of day in an English text."""

from __future__ import annotations

import re

from webui.text.tn.english import words
from webui.text.tn.english.numbers import cardinal, decade, ordinal, pair, year
from webui.text.tn.rules import Rule

_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_NTH = r"(?P<nth>st|nd|rd|th)?"
_MONTH = rf"(?P<m>(?i:{words.MONTH}))"
_NUMBERED = "(?P<m>0?[1-9]|1[0-2])"
_YEAR = r"(?P<y>(?:1\d|20)\d\d)"
_END = r"(?![\d/]|[.-]\d)"
_QUARTERS = {"1": "first", "2": "second", "3": "third", "4": "fourth"}


def _day(match: re.Match[str]) -> str:
    return ordinal(cardinal(int(match["d"])))


def _full(match: re.Match[str]) -> str:
    """In one order, however it was written: the fifth of January, twenty twelve."""
    found = match.groupdict()
    the = "" if match.string[: match.start()].lower().endswith("the ") else "the "
    said = f"{the}{_day(match)} of {words.month(match['m'])}"
    if not found.get("y"):
        return said
    return f"{said}{',' if ',' in match[0] else ''} {_year(match['y'])}"


def _year(written: str) -> str:
    return year(written) if len(written) > 2 else pair(written)


def _named_day(match: re.Match[str]) -> str:
    return f"{words.month(match['m'])} {_day(match)}"


def _month_year(match: re.Match[str]) -> str:
    return f"{words.month(match['m'])} {year(match['y'])}"


def _era(match: re.Match[str]) -> str:
    return f"{year(match['y'])} {match['era'].replace('.', '').upper()}"


def _part_of_year(match: re.Match[str]) -> str:
    part = "half" if match["part"] == "H" else "quarter"
    return f"the {_QUARTERS[match['n']]} {part} of {_year(match['y'])}"


def _decades(match: re.Match[str]) -> str:
    return " to ".join(decade(written) for written in re.findall(r"\d+", match[0]))


def _time(match: re.Match[str]) -> str | None:
    hour, minute, half = int(match["h"]), match["min"] or "00", (match["half"] or "").strip().replace(".", "").upper()
    if hour > 24:
        return None
    if match["s"]:
        hours = "hour" if hour == 1 else "hours"
        said = f"{cardinal(hour)} {hours} {cardinal(int(minute))} minutes and {cardinal(int(match['s']))} seconds"
    elif minute == "00":
        said = cardinal(hour) if half else f"{cardinal(hour)} o'clock"
    else:
        said = f"{cardinal(hour)} {pair(minute, 'o')}"
    return f"{said} {half}".strip() + (" " if match["half"] is None and match["zone"] is not None else "")


RULES = (
    Rule(
        "quarter", "3Q22 is a quarter of a year", r"(?P<n>[1-4])(?P<part>[HQ])(?P<y>\d\d(?:\d\d)?)(?!\w)", _part_of_year
    ),
    Rule("era", "340 A.D is a year", r"(?P<y>\d{1,4})\s?(?P<era>(?i:A\.?D|B\.?C(?:\.?E)?)\b\.?)(?!\w)", _era),
    Rule("date, day first", "25 july 2012", rf"{_DAY}{_NTH}(?: of)?[ -]{_MONTH}(?:,?[ -]{_YEAR}(?!\d))?(?!\w)", _full),
    Rule("date, month first", "jan. 5, 2012", rf"{_MONTH}[ -]{_DAY}{_NTH},?[ -]{_YEAR}(?![\d-])", _full),
    Rule("day with its ending", "April 29th", rf"{_MONTH} {_DAY}(?:st|nd|rd|th)(?![\w])", _named_day),
    Rule(
        "day of a month",
        "jan. 5; may 5 may be no day",
        rf"(?!may |march ){_MONTH}[ -]{_DAY}(?![\d:,-]\d|\w|\.\d)",
        _full,
    ),
    Rule("month of a year", "july 1506", rf"{_MONTH} {_YEAR}(?![\d-]|,\d)", _month_year),
    Rule("date, year first", "2012-01-05", rf"{_YEAR}(?P<mark>[-/.]){_NUMBERED}(?P=mark){_DAY}{_END}", _full),
    Rule("date, numbered", "10/06/2005", rf"{_NUMBERED}(?P<mark>[-/.]){_DAY}(?P=mark){_YEAR}{_END}", _full),
    Rule("date, day before month", "15-01-2020", rf"{_DAY}(?P<mark>[-/.]){_NUMBERED}(?P=mark){_YEAR}{_END}", _full),
    Rule(
        "short date",
        "11/17/05",
        rf"{_NUMBERED}/{_DAY}/(?P<y>\d\d){_END}",
        lambda match: f"{_named_day(match)} {_year(match['y'])}",
    ),
    Rule("decades", "1960s-80s", r"'?(?:1\d|20)?\d0 ?'?s ?[-–] ?'?(?:1\d|20)?\d0'?s\b", _decades),
    Rule("decade", "1980s, '70s", r"(?:(?:1\d|20)\d0 ?s|'?[2-9]0s)(?![\w'])", _decades),
    Rule("apostrophe", "'80s without its apostrophe", r"'(?=[2-9]0s(?!\w))", lambda _match: " "),
    Rule(
        "years",
        "1980-1986 spans years",
        r"(?P<a>(?:1[1-9]|20)\d\d)\s?[-–]\s?(?P<b>(?:1[1-9]|20)\d\d|\d\d)(?![\w%]|[.,:-]\d| ?(?:kg|km|m|g)\b)",
        lambda match: f"{year(match['a'])} to {_year(match['b'])}",
    ),
    Rule(
        "time",
        "hours and minutes",
        r"(?P<h>\d{1,2}):(?P<min>[0-5]\d)(?::(?P<s>[0-5]\d))?(?![:\d])(?P<half>\s?(?:[aApP]\.?[mM](?!\w)\.?))?(?P<zone>(?=[A-Z]{2,4}\b))?",
        _time,
    ),
    Rule(
        "time with a point",
        "10.30 am",
        r"(?P<h>1[0-2]|[1-9])\.(?P<min>[0-5]\d)(?P<s>)(?P<half>\s?[aApP]\.?[mM](?!\w)\.?)(?P<zone>)",
        _time,
    ),
    Rule(
        "hour",
        "5pm",
        r"(?P<h>1[0-2]|[1-9])(?P<min>)(?P<s>)(?P<half>\s?[aApP](?:\.[mM]\.?|[mM])(?!\w))(?P<zone>)",
        _time,
    ),
)
