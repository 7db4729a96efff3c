"""The words of `words.toml`: months, currencies, units, streets, and what stands before and behind an amount."""

from __future__ import annotations

from pathlib import Path

from webui.text.tn.rules import any_of
from webui.text.tn.units import Unit, unit
from webui.toml import read_toml

_TABLES = read_toml(Path(__file__).with_name("words.toml"))


def _list(name: str) -> str:
    return any_of(_TABLES[name].split())


_MONTHS: list[str] = _TABLES["months"].split()
MONTH = rf"(?:{'|'.join(_MONTHS)}|(?:{_TABLES['short_months'].replace(' ', '|')})(?![a-z])\.?)"
AMOUNT_BEFORE = rf"(?i:\b{_list('amount_before')})\s"
COUNTED = rf"(?i:{_list('counted')}\b|(?!{_list('no_plurals')}\b)[a-z]{{2,}}s\b)"
CODE_BEFORE = rf"(?i:\b{_list('code_before')})\b"
PHONE_BEFORE = rf"(?i:\b{_list('phone_before')})\b"

CURRENCIES: dict[str, list[str]] = _TABLES["currencies"]
SCALES: dict[str, str] = _TABLES["scales"]
PER: dict[str, str] = _TABLES["per"]
STREETS: dict[str, str] = _TABLES["streets"]
DIRECTIONS: dict[str, str] = _TABLES["directions"]
STATES: dict[str, str] = _TABLES["states"]


def month(written: str) -> str:
    """The name of a month from its number or the beginning of its name."""
    if written.isdigit():
        return _MONTHS[int(written) - 1]
    return next(name for name in _MONTHS if name.lower().startswith(written.lower()[:3]))


def measure(written: str) -> Unit | None:
    """The unit that is written so, as a whole; None where there is no such unit."""
    own = _TABLES["units"].get(written)
    return Unit("", *own) if own else unit(written)
