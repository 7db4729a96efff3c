"""The command line's own words, in the terminal's locale."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from webui.settings import terminal_locale
from webui.toml import read_toml


def help_text(key: str) -> str:
    return str(_texts()["help"][key][terminal_locale()])


def say(key: str, **values: Any) -> str:
    return str(_texts()["say"][key][terminal_locale()]).format_map(values)


def diagnosis(key: str, **values: Any) -> tuple[str, str]:
    """What `doctor` says of a subject, and the cure ("" where none is needed)."""
    entry, locale = _texts()["doctor"][key], terminal_locale()
    return str(entry[locale]).format_map(values), str(entry.get(f"hint_{locale}", "")).format_map(values)


@cache
def _texts() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("texts.toml"))
