"""What routes ask for: the services, the caller, the locale of the answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request

from webui.errors import UserError
from webui.server.errors import locale_of
from webui.server.guard import COOKIE
from webui.server.intake import Intake
from webui.service.services import Services

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def intake_of(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


def owner_of(request: Request) -> int:
    """The owner that the guard found."""
    owner: int = request.state.owner
    return owner


def author_of(request: Request) -> Callable[[], int]:
    """Gives the owner of what the request is about to write: to be called only when it is known to be of use."""
    return partial(services_of(request).accounts.owner_of, request.cookies.get(COOKIE))


def by_now(request: Request) -> Callable[[], int]:
    """Gives the owner whom the caller may have become since the request began."""
    return partial(services_of(request).accounts.remembered, request.cookies.get(COOKIE))


def local_only(request: Request) -> None:
    """Raises LOCAL_ONLY unless the request comes from this machine itself, not by way of a proxy.

    A proxy is told by its headers, by another name of this server than a loopback one, by the HTTP version that proxies
    speak unless told otherwise; where none of them shows it, by the setting.
    """
    proxied = services_of(request).settings.behind_proxy or any(name in request.headers for name in _FORWARDED)
    peer = request.client.host if request.client else ""
    direct = not proxied and request.scope["http_version"] != "1.0"
    if not (direct and _is_loopback(peer) and _is_loopback(request.url.hostname or "")):
        raise UserError("LOCAL_ONLY")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Caller = Annotated[int, Depends(owner_of)]  # for reading, and for changing what is there
Author = Annotated[Callable[[], int], Depends(author_of)]  # for what makes something new
CallerByNow = Annotated[Callable[[], int], Depends(by_now)]  # for waiting: a newcomer becomes an owner meanwhile
Locale = Annotated[str, Depends(locale_of)]
Incoming = Annotated[Intake, Depends(intake_of)]  # for what brings recordings
Service = Annotated[Services, Depends(services_of)]


def form_body(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    """The OpenAPI description of a multipart form that the route reads by itself."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


FILE = {"type": "string", "format": "binary"}
FILES = {"type": "array", "items": FILE}
TEXT = {"type": "string"}
