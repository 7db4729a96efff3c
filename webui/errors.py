"""Errors a user may see: a stable code and parameters, worded only when shown.

`errors.toml` beside this module holds, per code, the HTTP status, OpenAI's error type and the wording
(message and hint) in Chinese and English. A code that is not there is a programming error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from webui.toml import read_toml

Locale = str  # "zh" or "en"

# What pydantic found (an error's type, or a name in its context) → our reason, and what the name fills in there.
_KINDS = {
    "missing": "FIELD_MISSING",
    **dict.fromkeys(("extra_forbidden", "unexpected_keyword_argument"), "FIELD_UNKNOWN"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "FIELD_INTEGER"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "FIELD_NUMBER"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "FIELD_SWITCH"),
    **dict.fromkeys(("string_type", "path_type"), "FIELD_TEXT"),
    **dict.fromkeys(("list_type", "tuple_type"), "FIELD_LIST"),
}
_LIMITS = {
    "expected": ("FIELD_CHOICE", "expected"),
    "max_length": ("FIELD_TOO_LONG", "most"),
    "min_length": ("FIELD_LEAST", "least"),
    "ge": ("FIELD_LEAST", "least"),
    "gt": ("FIELD_MORE", "least"),
    "le": ("FIELD_MOST", "most"),
    "lt": ("FIELD_LESS", "most"),
}


@dataclass(frozen=True)
class Wording:
    status: int
    type: str
    message: str
    hint: str


@dataclass(frozen=True)
class Notice:
    """Something to tell a reader: `code` is a key of errors.toml, `params` fill its wording.

    A parameter that is itself a notice reads as its message.
    """

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def stored(self) -> dict[str, Any]:
        """The JSON in which rows keep it: {"code", "params"}, notices within alike."""
        params = {name: value.stored() if isinstance(value, Notice) else value for name, value in self.params.items()}
        return {"code": self.code, "params": params}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Notice:
        """The notice that `stored()` gave."""
        params = stored.get("params", {})
        return cls(stored["code"], {name: _restored(value) for name, value in params.items()})

    def worded(self, locale: Locale) -> Wording:
        """Status and words for a reader of `locale` (zh unless en). Raises KeyError for a code that is not there."""
        entry = _catalogue()[self.code]
        texts = entry["en" if locale.startswith("en") else "zh"]
        values = _Lenient({name: _shown(value, locale) for name, value in self.params.items()})
        return Wording(
            status=entry["status"],
            type=entry.get("type", "invalid_request_error"),
            message=texts["message"].format_map(values),
            hint=texts.get("hint", "").format_map(values),
        )

    def as_error(self, param: str | None = None) -> UserError:
        """To raise; `param` names the offending field."""
        return UserError(self.code, param=param, **self.params)


class UserError(Exception):
    """Something the user can understand and cure.

    `code` is a key of errors.toml, `params` fill its wording, `param` names the offending field.
    """

    def __init__(self, code: str, *, param: str | None = None, **params: Any) -> None:
        super().__init__(f"{code} {params}" if params else code)
        self.code = code
        self.param = param
        self.params = params

    @property
    def notice(self) -> Notice:
        return Notice(self.code, self.params)


def reason_of(finding: Mapping[str, Any]) -> Notice:
    """What pydantic found wrong with one value."""
    if finding["type"] in _KINDS:
        return Notice(_KINDS[finding["type"]])
    context = finding.get("ctx", {})
    for name, (code, fills) in _LIMITS.items():
        if name in context:
            limit = context[name].replace(" or ", ", ") if name == "expected" else context[name]
            return Notice(code, {fills: limit})
    return Notice("FIELD_FORMAT")


def codes() -> frozenset[str]:
    return frozenset(_catalogue())


def _restored(value: Any) -> Any:
    nested = isinstance(value, Mapping) and value.get("code") in _catalogue()
    return Notice.from_stored(value) if nested else value


def _shown(value: Any, locale: Locale) -> Any:
    return value.worded(locale).message if isinstance(value, Notice) else value


class _Lenient(dict[str, Any]):
    """A missing parameter shows as its name, never as a traceback in front of the user."""

    def __missing__(self, key: str) -> str:
        return key


@cache
def _catalogue() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("errors.toml"))
