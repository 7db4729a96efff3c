"""The command line's own words, in the language of the terminal."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from webui.settings import terminal_language
from webui.toml import read_toml


def help_text(key: str) -> str:
    return str(_texts()["help"][key][terminal_language()])


def say(key: str, **values: Any) -> str:
    return str(_texts()["say"][key][terminal_language()]).format_map(values)


def diagnosis(key: str, **values: Any) -> tuple[str, str]:
    """What `doctor` says of a subject, and the cure ("" where none is needed)."""
    entry, language = _texts()["doctor"][key], terminal_language()
    return str(entry[language]).format_map(values), str(entry.get(f"hint_{language}", "")).format_map(values)


@cache
def _texts() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("texts.toml"))
