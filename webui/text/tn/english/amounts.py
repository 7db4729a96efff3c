"""Amounts in an English text: money, measures, percentages, fractions, ranges, sums and plain numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

from webui.text.tn.english import words
from webui.text.tn.english.numbers import NUMBER, cardinal, integer, number, ordinal, year
from webui.text.tn.rules import Rule, any_of
from webui.text.tn.units import TOKEN, Unit

_N = rf"(?:{NUMBER}|(?<![\d.])\.\d+)"
_SIGN = r"(?P<sign>(?<![\w)%])[-−+]|)"
_TO = r"\s?(?:-|–|—)\s?"
_CURRENCY = any_of(words.CURRENCIES)
_CODES = any_of(filter(str.isalpha, words.CURRENCIES))
_WORDS = "(?: ?(?:thousand|[mbt]r?illion|quadrillion)\\b)"
_SCALE = rf"(?P<scale>{_WORDS}| ?(?:{'|'.join(words.SCALES)})\b(?!-))?"
_PER = rf"(?:/(?P<per>{any_of(words.PER)})\b)?"
_IN_A_YEAR = re.compile(r"\b(?:in|since|of|by|until|from|year)\s$", re.IGNORECASE)
_HALVES = {"2": "half", "4": "quarter"}
_SINGLE = re.compile(r"\b(?:a|an|each|every|per|the)\s$", re.IGNORECASE)
_SAYINGS = {"24/7": "twenty four seven", "9/11": "nine eleven", "50/50": "fifty fifty", "20/20": "twenty twenty"}
_SIGNS = {"-": "minus ", "−": "minus ", "+": "plus ", "": ""}


def _word(said: str) -> Callable[[re.Match[str]], str]:
    """Says a sign as a word, apart from what stands before it."""

    def read(match: re.Match[str]) -> str:
        return ("" if match.string[match.start() - 1 : match.start()] in ("", " ") else " ") + said + " "

    return read


def _money(match: re.Match[str]) -> str:
    one, many, cent, cents = words.CURRENCIES[match["currency"]]
    scale, found = (match["scale"] or "").strip(), match.groupdict()
    scale = words.SCALES.get(scale, scale)
    per = f" per {words.PER[match['per']]}" if found.get("per") else ""
    said = f"{number(found['low'])} to " if found.get("low") else ""
    return _SIGNS[found.get("sign") or ""] + said + _sum(match["a"], scale, one, many, cent, cents) + per


def _sum(written: str, scale: str, one: str, many: str, cent: str, cents: str) -> str:
    """$20.50 → twenty dollars fifty cents; what is no whole number of cents is a decimal."""
    whole, _, fraction = written.partition(".")
    fraction = fraction.rstrip("0")
    if scale or (fraction and (len(fraction) > 2 or not cent)):
        return " ".join(filter(None, (number(written), scale, many)))
    parts = []
    if whole.strip("0,") or not fraction:
        parts.append(f"{integer(whole or '0')} {one if whole == '1' else many}")
    if fraction:
        small = int(fraction.ljust(2, "0"))
        parts.append(f"{cardinal(small)} {cent if small == 1 else cents}")
    return " ".join(parts)


def _percent(match: re.Match[str]) -> str:
    return _span(match) + " percent"


def _span(match: re.Match[str]) -> str:
    """One number, or two with "to" between them."""
    said = _SIGNS[match["sign"]] + number(match["a"])
    return f"{said} to {number(match['b'])}" if match["b"] else said


def _measure(match: re.Match[str]) -> str | None:
    found = words.measure(match["unit"])
    if found is None or (match["unit"] in ("A", "U", "N", "J") and " " not in match[0]) or match["unit"] == "r":
        return None
    per = words.measure(match["per"]) if match["per"] else None
    if match["per"] and per is None:
        return None
    said = _span(match)
    if match["sign"] == "-" and "." not in match["a"]:
        said = said.replace("minus", "negative", 1)
    return f"{said} {_named(match, found)}" + (f" per {per.english}" if per else "")


def _named(match: re.Match[str], found: Unit) -> str:
    """One kilogram, a five kilogram bag, five kilograms."""
    single = match["a"] == "1" and not match["b"]
    as_adjective = _SINGLE.search(match.string[: match.start()]) and re.match(
        r"\s[A-Za-z]", match.string[match.end() :]
    )
    return found.english if single or as_adjective else found.many


def _by(match: re.Match[str]) -> str | None:
    found = words.measure(match["unit"])
    return found and f"{number(match['a'])} by {number(match['b'])} {found.many}"


def _pressure(match: re.Match[str]) -> str | None:
    if int(match["a"]) <= int(match["b"]):
        return None
    return f"{number(match['a'])} over {number(match['b'])}" + (" millimeters of mercury" if match["unit"] else "")


def _ordinal(match: re.Match[str]) -> str:
    said, ending = integer(match["n"]), match["ending"].lower()
    plain = match["n"].replace(",", "")
    right = "th" if plain[-2:] in ("11", "12", "13") else {"1": "st", "2": "nd", "3": "rd"}.get(plain[-1], "th")
    return ordinal(said) if ending == right else f"{said} {match['ending']}"


def _fraction(match: re.Match[str]) -> str:
    n, d = match["n"], match["d"]
    whole = f"{integer(match['whole'])} and " if match["whole"] else ""
    if whole and (n, d) == ("1", "2"):
        return f"{_SIGNS[match['sign']]}{whole}a half"
    if (d.strip("0") == "1" and len(d) == 1) or d.startswith("0"):
        return f"{_SIGNS[match['sign']]}{whole}{integer(n)} over {integer(d)}"
    part = _HALVES.get(d) or ordinal(integer(d))
    return f"{_SIGNS[match['sign']]}{whole}{integer(n)} {part if n == '1' else re.sub('f$', 've', part) + 's'}"


def _parts_of_a_unit(match: re.Match[str]) -> str | None:
    found = words.measure(match["unit"])
    if found is None or (len(match["unit"]) == 1 and match["unit"] not in "mgLlh"):
        return None
    return f"{_fraction(match)} {found.many if match['whole'] else found.english}"


def _range(match: re.Match[str]) -> str:
    """2-5 → two to five, 1-2=5 → one minus two; a greater number before a hyphen keeps it."""
    a, b, behind = match["a"], match["b"], match.string[match.end() : match.end() + 3]
    if re.match(r"\s?=", behind) or (" " in match["mark"] and float(a.replace(",", "")) > float(b.replace(",", ""))):
        return f"{number(a)} minus {number(b)}"
    falls = float(a.replace(",", "")) > float(b.replace(",", ""))
    return f"{number(a)}-{number(b)}" if falls and len(a) > 2 else f"{number(a)} to {number(b)}"


def _plain(match: re.Match[str]) -> str:
    written, text = match["a"], match.string
    if re.fullmatch(r"[12]\d{3}", written) and not match["sign"] and _may_be_year(match):
        said = year(written)
    else:
        said = number(written)
    joint = " " if re.match("[A-Za-z]", text[match.end() : match.end() + 1]) else ""
    before = " " if re.search("[A-Za-z]$", text[: match.start()][-1:]) else ""
    return before + _SIGNS[match["sign"]] + said + joint


def _may_be_year(match: re.Match[str]) -> bool:
    """Four digits are a year but where they count."""
    text, end = match.string, match.end()
    if match["a"][:2] == "10" and not _IN_A_YEAR.search(text[max(0, match.start() - 8) : match.start()]):
        return False
    if re.search(words.AMOUNT_BEFORE + "$", text[max(0, match.start() - 16) : match.start()]):
        return False
    return not re.match(rf"[ -]{words.COUNTED}|\s?%|,\d", text[end : end + 24])


MONEY = (
    Rule(
        "money",
        "the currency stands first and is said last",
        rf"(?P<sign>(?<![\w)%])[-−]|)(?P<currency>{_CURRENCY})\s?(?P<low>{_N}(?={_TO}\d))?(?:(?<=\d){_TO})?(?P<a>{_N}){_SCALE}{_PER}",
        _money,
    ),
    Rule("money behind", "5 USD", rf"(?P<a>{_N}){_SCALE} ?(?P<currency>{_CODES})\b{_PER}", _money),
    Rule(
        "cents",
        "99¢",
        rf"(?P<a>{NUMBER}) ?¢",
        lambda match: f"{number(match['a'])} {'cent' if match['a'] == '1' else 'cents'}",
    ),
    Rule("to money", "$50-$100", r"[-–—]\s?(?=[$£€¥]\d)", _word("to"), before=r"\d(?: ?[a-z]+)?\s?"),
)
RULES = (
    Rule("saying", "24/7 is no fraction", r"(?:24/7|9/11|50/50|20/20)(?![/\d.])", lambda match: _SAYINGS[match[0]]),
    Rule(
        "blood pressure",
        "120/80 is no fraction",
        r"(?P<a>1\d\d|[89]\d)/(?P<b>[4-9]\d|1[0-2]\d)(?![/\d])(?P<unit>\s?mmHg)?",
        _pressure,
    ),
    Rule(
        "ordinal",
        "22nd; 4rd has a wrong ending",
        r"(?P<n>\d{1,3}(?:,\d{3})+|\d+)(?P<ending>(?i:st|nd|rd|th))(?!\w)",
        _ordinal,
    ),
    Rule("percent", "5-10%", rf"{_SIGN}(?P<a>{_N})(?:{_TO}(?P<b>{NUMBER}))?\s?%", _percent),
    Rule("by", "2x8 m2 is an area", rf"(?P<a>{NUMBER})\s?[x×]\s?(?P<b>{NUMBER})\s?(?P<unit>{TOKEN})", _by),
    Rule(
        "measure",
        "all the letters behind a number are one unit, or none",
        rf"{_SIGN}(?P<a>{_N})(?:{_TO}(?P<b>{NUMBER}))?[ -]?(?P<unit>{TOKEN})(?:/(?P<per>{TOKEN}))?(?!['’/])",
        _measure,
    ),
    Rule(
        "measure in parts",
        "4 1/2 lb",
        rf"{_SIGN}(?:(?P<whole>\d{{1,6}}) )?(?P<n>\d{{1,6}})/(?P<d>\d{{1,6}})\s?(?P<unit>{TOKEN})",
        _parts_of_a_unit,
    ),
    Rule(
        "fraction",
        "2 1/2 is two and a half",
        rf"{_SIGN}(?:(?P<whole>\d{{1,6}}) )?(?P<n>\d{{1,6}})(?:/| / )(?P<d>\d{{1,6}})(?:(?i:st|nd|rd|th)\b)?(?![/\d.])",
        _fraction,
    ),
    Rule("range", "2-5", rf"(?<![\w.-])(?P<a>{NUMBER})(?P<mark>{_TO})(?P<b>{NUMBER})(?![-–/\d])", _range),
    Rule(
        "ratio",
        "2:1",
        r"\d+(?::\d+){1,3}(?![:\d])",
        lambda match: " to ".join(map(integer, match[0].split(":"))),
    ),
    Rule("power", "10^5", r"\^(?P<n>\d+)", lambda match: f" to the power of {integer(match['n'])}", before=r"\w"),
    Rule("equals", "x=5", r"=\s?(?=[-+]?\w)", _word("equals"), before=r"(?:\d|\b[A-Za-z]|[)%])\s?"),
    Rule("minus", "x - 1 = y", r"[-−]\s?(?=\d+\s?=)", _word("minus"), before=r"(?:\d|\b[a-z])\s?"),
    Rule("plus", "2+3, x +1", r"\+\s?(?=\w)", _word("plus"), before=r"(?:\d|\b[a-z])\s?"),
    Rule("times", "2 * 10, 5x3", r"[*×x]\s?(?=\d)", _word("times"), before=r"\d\s?"),
    Rule("divided", "6÷2", r"÷\s?(?=\d)", _word("divided by"), before=r"\d\s?"),
    Rule("at least", ">= 5", r"(?:>=|≥)\s?(?=[-+$]?\d)", _word("greater than or equal to")),
    Rule("at most", "<= 5", r"(?:<=|≤)\s?(?=[-+$]?\d)", _word("less than or equal to")),
    Rule("more than", "> 5", r"(?<![-=<])>\s?(?=\d)", _word("greater than"), before=r"^|[\w\s)]\s"),
    Rule("less than", "< 5", r"<\s?(?=\d)", _word("less than")),
    Rule("about", "~5", r"[~≈]\s?(?=\d)", _word("about"), before=r"^|\s"),
    Rule(
        "to",
        "5pm-7 pm: a mark behind a word and before a number",
        r"[-–]\s?(?=\d)",
        _word("to"),
        before=r"\d ?(?:[aApP]\.?[mM]\.?|[°%])\s?",
    ),
    Rule("plain number", "what is left is an amount, or a year", rf"{_SIGN}(?P<a>{_N})", _plain),
)
