"""The requests that bring recordings: how many are worked on at once, and for how long.

Looking at recordings keeps a thread for as long as it takes. In lanes of their own such requests do not take the
threads that everything else is answered with, and whoever brings one recording does not stand behind archives.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import ClientDisconnect, Request

from webui.service.submission import Abandoned

LANE = 4  # requests at once

T = TypeVar("T")


class Intake:
    """Two lanes, each first come, first served. One an application."""

    def __init__(self) -> None:
        self._single, self._many = CapacityLimiter(LANE), CapacityLimiter(LANE)

    async def run(self, request: Request, work: Callable[[Callable[[], bool]], T], *, many: bool = False) -> T:
        """`work` in a thread, when it is its turn; it is given whether the caller is still there.

        Raises ClientDisconnect where `work` ended for the caller's leaving. The body must have been read.
        """
        gone = threading.Event()
        watch = asyncio.create_task(_watch(request, gone))
        lane = self._many if many else self._single
        try:
            return await anyio.to_thread.run_sync(work, lambda: not gone.is_set(), limiter=lane)
        except Abandoned:
            raise ClientDisconnect from None
        finally:
            watch.cancel()


async def _watch(request: Request, gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
