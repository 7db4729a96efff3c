"""What pydantic finds wrong with a request, as one INVALID_FIELD."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webui.errors import Notice, UserError, reason_of
from webui.jobs.params import Consent

_M = TypeVar("_M", bound=BaseModel)

_PLACES = ("body", "query", "path", "header")  # where FastAPI found the field: not part of its name


def read_params(model: type[_M], text: str, field: str) -> _M:
    """A pydantic object from the JSON in a form field. Raises INVALID_FIELD naming the field within."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise invalid(field, "FIELD_FORMAT") from None
    return checked(model, given, field)


def read_consent(text: str) -> Consent | None:
    """The consent in a form field, None where there is none.

    Raises CONSENT_REQUIRED for one without a known basis or a subject, INVALID_FIELD for what else is wrong.
    """
    try:
        return read_params(Consent, text, "consent") if text else None
    except UserError as error:
        if error.param in ("basis", "subject"):
            raise UserError("CONSENT_REQUIRED", param="consent") from None
        raise


def checked(model: type[_M], given: Any, field: str = "") -> _M:
    """`given` as a pydantic object. Raises INVALID_FIELD; `field` is what an unnamed finding is about."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid_field(error.errors(), field) from None


def invalid_field(findings: Sequence[Mapping[str, Any]], field: str = "body") -> UserError:
    """The first finding."""
    first = findings[0]
    places = () if first["type"] == "json_invalid" else first["loc"]
    name = ".".join(str(part) for part in places if part not in _PLACES) or field
    return UserError("INVALID_FIELD", param=name, field=name, reason=reason_of(first))


def invalid(field: str, reason: str, **params: Any) -> UserError:
    """INVALID_FIELD with a reason of errors.toml."""
    return UserError("INVALID_FIELD", param=field, field=field, reason=Notice(reason, params))
