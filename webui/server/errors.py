"""Errors on the wire: one JSON shape for every 4xx and 5xx, in the words of the reader's locale."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from webui.errors import UserError
from webui.server.views import Error, ErrorAnswer
from webui.service.validation import invalid_field
from webui.text.languages import primary

log = logging.getLogger(__name__)

DOCUMENTED: dict[int | str, dict[str, Any]] = {"default": {"model": ErrorAnswer, "description": "Any error"}}
MARK = "x-error-code"  # every error of ours carries it; the guard words again what does not

RETRY_AFTER_S = 60  # where nobody has an estimate
_COME_AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

_CODES = {
    401: "FORBIDDEN",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
}


def locale_of(connection: HTTPConnection) -> str:
    """`zh` or `en`: the first of the two in Accept-Language by its weight, `zh` where neither is named."""
    weights = {"zh": 0.0, "en": 0.0}
    for part in connection.headers.get("accept-language", "")[:500].split(","):
        tag, _, weight = part.replace(" ", "").lower().partition(";q=")
        named = primary(tag)
        if named in weights:
            weights[named] = max(weights[named], _number(weight or "1"))
    return "en" if weights["en"] > weights["zh"] else "zh"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def body_of(error: UserError, locale: str) -> dict[str, Any]:
    """The contract's error object."""
    wording = error.notice.worded(locale)
    found = Error(code=error.code, message=wording.message, hint=wording.hint, type=wording.type, param=error.param)
    return ErrorAnswer(error=found).model_dump()


def error_response(error: UserError, connection: HTTPConnection, status: int | None = None) -> JSONResponse:
    """`error` as a response; `status` where the catalogue's does not fit."""
    locale = locale_of(connection)
    headers = {MARK: error.code, "content-language": locale, "vary": "accept-language"}
    code = status or error.notice.worded(locale).status
    if code in _COME_AGAIN:
        headers["retry-after"] = str(error.params.get("retry_after", RETRY_AFTER_S))
    return JSONResponse(body_of(error, locale), status_code=code, headers=headers)


def status_response(status: int, connection: HTTPConnection) -> JSONResponse:
    """The answer to an error that only has a status: the framework's own, or one of a mounted application."""
    if status >= 500:
        return error_response(UserError("INTERNAL", id=error_number()), connection, status)
    code = _CODES.get(status, "BAD_REQUEST")
    params = {"method": connection.scope.get("method", ""), "reason": HTTPStatus(status).phrase, "limit": "4 MB"}
    return error_response(UserError(code, **params), connection, status)


def error_number() -> str:
    """A number under which an internal error stands in the log."""
    return secrets.token_hex(4)


def logged(connection: HTTPConnection) -> UserError:
    """The exception in hand as INTERNAL: what it says stands in the log, under the error's number."""
    number = error_number()
    log.exception("internal error %s on %s", number, connection.scope.get("path"))
    return UserError("INTERNAL", id=number)


def register_handlers(app: FastAPI) -> None:
    """Every error the application raises leaves it in the contract's shape."""

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> Response:
        return error_response(error, request)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> Response:
        return error_response(invalid_field(error.errors()), request)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return status_response(error.status_code, request)
