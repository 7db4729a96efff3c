"""Errors a user may see: a stable code and parameters, worded only when shown.

`errors.toml` beside this module holds, per code, the HTTP status, OpenAI's error type and the wording
(message and hint) in Chinese and English. A code that is not there is a programming error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from webui.toml import read_toml

Language = str  # "zh" or "en"

# What pydantic found (an error's type, or a name in its context) → our reason, and what the name fills in there.
_KINDS = {
    "missing": "FIELD_MISSING",
    "extra_forbidden": "FIELD_UNKNOWN",
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


class UserError(Exception):
    """Something the user can understand and cure.

    `code` is a key of errors.toml, `params` fill its wording, `param` names the offending field.
    """

    def __init__(self, code: str, *, param: str | None = None, **params: Any) -> None:
        super().__init__(f"{code} {params}" if params else code)
        self.code = code
        self.param = param
        self.params = params

    def stored(self) -> dict[str, Any]:
        """The form in which a job's row keeps it (JSON)."""
        return {"code": self.code, "params": self.params}


@dataclass(frozen=True)
class Wording:
    status: int
    type: str
    message: str
    hint: str


def word(code: str, params: Mapping[str, Any], language: Language) -> Wording:
    """The wording of `code` in `language` (zh unless en)."""
    entry = _catalogue()[code]
    texts = entry["en" if language.startswith("en") else "zh"]
    values = _Lenient({name: _reason(value, language) for name, value in params.items()})
    return Wording(
        status=entry["status"],
        type=entry.get("type", "invalid_request_error"),
        message=texts["message"].format_map(values),
        hint=texts.get("hint", "").format_map(values),
    )


def _reason(value: Any, language: Language) -> Any:
    """A parameter that is itself a stored error or reason (`{"code", "params"}`) reads as its message."""
    if isinstance(value, Mapping) and value.get("code") in _catalogue():
        return word(value["code"], value.get("params", {}), language).message
    return value


def reason_of(finding: Mapping[str, Any]) -> dict[str, Any]:
    """What pydantic found wrong with one value, as a stored reason."""
    if finding["type"] in _KINDS:
        return {"code": _KINDS[finding["type"]]}
    context = finding.get("ctx", {})
    for name, (code, fills) in _LIMITS.items():
        if name in context:
            limit = context[name].replace(" or ", ", ") if name == "expected" else context[name]
            return {"code": code, "params": {fills: limit}}
    return {"code": "FIELD_FORMAT"}


def codes() -> frozenset[str]:
    return frozenset(_catalogue())


class _Lenient(dict[str, Any]):
    """A missing parameter shows as its name, never as a traceback in front of the user."""

    def __missing__(self, key: str) -> str:
        return key


@cache
def _catalogue() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("errors.toml"))
