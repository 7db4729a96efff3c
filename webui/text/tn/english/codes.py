"""Numbers that are names in an English text: telephones, codes, rooms, flights, versions, addresses."""

from __future__ import annotations

import re

from webui.text.tn.english import words
from webui.text.tn.english.numbers import cardinal, digits, integer, number, pair
from webui.text.tn.rules import Rule, any_of

_STREET = any_of([*words.STREETS, *words.STREETS.values()])
_DIRECTION = any_of(words.DIRECTIONS)
_STATE = any_of(words.STATES)
_ENDINGS = "com|org|net|edu|gov|io|ai|cn|uk|co|html?|pdf|txt|docx?|xlsx?|jpe?g|png|zip|csv|wav|mp[34]|py"
_NAME = rf"(?:(?:{_DIRECTION}\.? )?(?:[A-Z][A-Za-z']{{1,20}} |\d{{1,3}}(?:st|nd|rd|th) ){{1,4}}?)"


def _kept(match: re.Match[str]) -> str:
    return match[0]


def _groups(match: re.Match[str]) -> str:
    """A telephone number with a pause between its groups; 800 is eight hundred."""
    plus = "plus " if match[0].startswith("+") else ""
    groups = re.findall(r"\d+", match[0])
    return plus + ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)


def _extension(match: re.Match[str]) -> str:
    return f"extension {digits(match['n'])}"


def _points(match: re.Match[str]) -> str:
    return " point ".join(integer(part) for part in match[0].split("."))


def _dots(match: re.Match[str]) -> str:
    return " dot ".join(digits(part) for part in match[0].split("."))


def _code(match: re.Match[str]) -> str:
    return re.sub(r"\d+", lambda run: f" {digits(run[0])} ", match[0]).replace("  ", " ").strip()


def _paired(written: str) -> str:
    """A house or room: 1203 → twelve oh three, 123 → one twenty three."""
    if len(written) not in (3, 4) or written.endswith("000"):
        return integer(written)
    head, tail = cardinal(int(written[:-2])), written[-2:]
    return f"{head} hundred" if tail == "00" else f"{head} {pair(tail)}"


def _house(match: re.Match[str]) -> str:
    """The house, the street and perhaps the state, with their names in full."""
    name = re.sub(rf"^{_DIRECTION}(?=\.? )", lambda found: words.DIRECTIONS[found[0]], match["name"])
    street = words.STREETS.get(match["street"].title(), match["street"])
    return f"{_paired(match['n'])} {name}{street}"


def _state(match: re.Match[str]) -> str | None:
    """CA 95051 → California nine five oh five one; ID and OK are words without a comma before them."""
    if (
        match["state"] in ("ID", "OK", "IN", "ME", "OR", "HI")
        and match.string[match.start() - 2 : match.start()] != ", "
    ):
        return None
    return (
        f"{words.STATES[match['state']]}{match['gap']}{digits(match['zip'], 'oh')}"
        if match["zip"]
        else words.STATES[match["state"]]
    )


def _serial(match: re.Match[str]) -> str:
    """Letters and digits in turn: three digits and more one by one, unless round."""
    parts = re.findall(r"\d+(?:\.\d+)?|[A-Za-z]+|-", match[0])
    said = [_figures(part) if part[0].isdigit() else part for part in parts]
    return " ".join(said).replace(" - ", "-")


def _figures(written: str) -> str:
    if "." in written:
        return number(written)
    if len(written) < 3 or (written[0] != "0" and written.endswith("00")):
        return integer(written)
    return digits(written)


RULES = (
    Rule(
        "mail", "an address on the internet is one word", r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,250}[A-Za-z]", _kept
    ),
    Rule("link", "an address on the internet is one word", r"(?:https?://|www\.)[^\s,;]{1,500}", _kept),
    Rule(
        "file or site",
        "abc3.com is one word",
        rf"[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{0,4}}\.(?:{_ENDINGS})\b(?:/[^\s,;]{{0,200}})?",
        _kept,
    ),
    Rule(
        "handle",
        "user_1, @user1, foo/bar2 are one word",
        r"[#@]?[A-Za-z]\w{0,40}_\w{1,40}|[#@][A-Za-z]\w{0,40}|[A-Za-z][\w.-]{0,40}/[\w./-]{1,80}",
        _kept,
    ),
    Rule("tag", "a tag is not spoken", r"</?[A-Za-z][^<>\n]{0,80}>", _kept),
    Rule(
        "house",
        "2788 San Tomas Expy has no cardinal",
        rf"(?P<n>\d{{1,5}}) (?P<name>{_NAME})(?P<street>{_STREET})\b\.?(?=$|[,;]| [A-Z]|\.|\s*$|\n| \d)",
        _house,
    ),
    Rule("state", "CA 95051", rf"(?P<state>{_STATE})(?P<gap>,? )(?P<zip>\d{{5}}(?:-\d{{4}})?)(?!\d)", _state),
    Rule("state alone", "City, NY", rf"(?P<state>{_STATE})(?P<zip>)(?!\w|[.])(?=$|[,;.\n])", _state, before=", "),
    Rule("network address", "192.168.1.1", r"\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)", _dots),
    Rule(
        "telephone",
        "groups of three, three and four, or as in other countries",
        r"(?:\+\d{1,3}[- ]?|1[- .])?(?:\(\d{3}\)[- ]?|\d{3}[- .])\d{3}[- .]\d{4}(?:-\d{1,5})?(?![\d-])"
        r"|\d{3}-\d{4}(?![\d-])"
        r"|\+?(?:86[- ])?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)",
        _groups,
    ),
    Rule("version", "2.4.1", r"\d{1,5}(?:\.\d{1,5}){2,5}(?!\.?\d)", _points),
    Rule("abroad", "+44 20 7946 0958", r"\+\d{1,3}(?:[- ]\d{2,5}){2,4}(?!\d)", _groups),
    Rule("card", "1234 5678 9012 3456", r"\d{4}(?P<gap>[ -])\d{4}(?:(?P=gap)\d{4}){1,2}(?!\d)", _groups),
    Rule("extension", "ext. 123", r"(?:ext\.?|x) ?(?P<n>\d{2,6})(?!\w)", _extension, before=r"\d[ ,]{1,2}|[a-z], "),
    Rule("insurance number", "123-45-6789", r"\d{3}-\d{2}-\d{4}(?![\d-])", _groups),
    Rule(
        "plan",
        "401(k)",
        r"(?P<n>\d{3})\((?P<letter>[a-z])\)",
        lambda match: f"{digits(match['n'], 'oh')} {match['letter']}",
    ),
    Rule(
        "code",
        "code 482913",
        r"(?=[A-Za-z-]{0,8}\d)[A-Za-z\d]{3,32}(?![\w,.:]{0,3}\d)",
        _code,
        before=rf"{words.CODE_BEFORE}(?: (?:number|no\.?|is|code|[A-Z]{{2}}))?\s?[:#]?\s?#?(?:is )?",
    ),
    Rule(
        "telephone behind a noun",
        "call 12345",
        r"\d{5,15}(?![\w,.]{0,3}\d)",
        _code,
        before=rf"{words.PHONE_BEFORE}(?: (?:is|number|at|me|us))?:? ",
    ),
    Rule(
        "room",
        "Room 1203",
        r"\d{3,4}(?!\w|[,.]\d)",
        lambda match: _paired(match[0]),
        before=r"(?i:\b(?:room|suite|apt\.?|apartment|route|highway|boeing|airbus))\s#?",
    ),
    Rule("number sign", "No. 5, #6", r"(?:[Nn]o\.\s?|#)(?=\d)", lambda _match: "number "),
    Rule("version letter", "v2.0", r"[vV](?=\d)", lambda match: f"{match[0]} ", before=r"^|\W"),
    Rule(
        "serial",
        "MU5137, c325b, covid-19",
        r"(?<!\d)[A-Za-z]{1,12}-?(?!\d{1,3}0s\b)\d{1,12}(?:\.\d{1,6})?(?:[A-Za-z]{1,3}\d{1,4}|-[A-Za-z]{1,3}\d{0,4}|-\d{3,5}){0,4}[A-Za-z]{0,3}(?![\w]|,\d|-\d)",
        _serial,
    ),
)
