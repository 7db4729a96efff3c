"""The services for one command: with workers of our own, or beside a server that has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from webui.cli.common import Failed, complain
from webui.cli.texts import say
from webui.disk import ROOM_TO_WORK, free_bytes, worded
from webui.settings import Settings, work_offline

if TYPE_CHECKING:
    from webui.service.services import Services


def build(settings: Settings) -> Services:
    """The services, not started. Raises DatabaseRefused, Failed."""
    check_room(settings)
    work_offline(settings)
    from webui.service.services import Services

    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Services(settings)


def check_room(settings: Settings) -> None:
    """A first start writes; later ones come up on a full disk too, for people to read and delete. Raises Failed."""
    free, folder = min((free_bytes(folder), folder) for folder in (settings.data, settings.database.parent))
    if not settings.database.exists() and free < ROOM_TO_WORK:
        raise Failed(say("no_room", folder=folder, free=worded(free), needed=worded(ROOM_TO_WORK)))


@contextmanager
def opened(settings: Settings, *, workers: bool) -> Iterator[Services]:
    """The services on this data folder, stopped afterwards. Raises DatabaseRefused, Failed.

    `workers`: this process does the work, unless a server on the same folder already does.
    """
    from webui.jobs.recovery import AlreadyRunning, lock_holder

    services = build(settings)
    try:
        joins = workers and lock_holder(settings) is not None
        if joins:
            complain(say("joined"))
        services.start(workers=workers and not joins)
    except AlreadyRunning as error:
        services.stop()
        raise Failed(say("already_running", pid=error.pid or "?")) from None
    try:
        yield services
    finally:
        services.stop()
