"""Who waits for what to change: a long poll without polling, and the wake-up of the workers.

One thread watches the database: it is poked by every commit of this process and looks twice a second whether another
process (the command line) has committed. One query per look finds the owners concerned, however many wait.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from webui.store.database import Database
from webui.store.history import History
from webui.store.rows import Changes

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
MERGE_S = 0.02  # commits so close together are one look
TRY_AGAIN_S = 2.0  # after the database could not be read


class ChangeFeed:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._history = History(database)
        self._news = threading.Condition()
        self._seen = 0
        self._newest: dict[int, int] = {}  # owner → number of the newest change since the start
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._listeners: dict[object, Callable[[], None]] = {}
        self._poked = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], object] | None = None

    def start(self) -> None:
        self._seen = self._history.latest_change()
        self._unsubscribe = self._database.subscribe(self._poked.set)
        self._thread = threading.Thread(target=self._watch, name="changes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waiters return at once with what there is."""
        self._stopping = True
        self._poked.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._thread is not None:
            self._thread.join()
        self._tell()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], object]:
        """Call `listener` (quick) after anybody's commit; returns what undoes it."""
        key = object()
        self._listeners[key] = listener
        return partial(self._listeners.pop, key, None)

    def now(self) -> int:
        """The number to begin waiting from."""
        return self._history.latest_change()

    def wait(self, owner_id: int | None, since: int, timeout: float) -> Changes:
        """What changed for the owner (None: for anybody) after number `since`; waits at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            changes = self._history.changes_since(owner_id, since)
            left = deadline - time.monotonic()
            if _worth_telling(changes, since) or left <= 0 or self._stopping:
                return changes
            with self._news:
                self._news.wait_for(lambda: self._is_news(owner_id, since) or self._stopping, left)

    async def wait_async(self, owner_id: int | None, since: int, timeout: float) -> Changes:
        """`wait` for a server: whoever waits holds no thread."""
        deadline = time.monotonic() + timeout
        news = asyncio.Event()
        waiter = (asyncio.get_running_loop(), news)
        with self._news:
            self._waiting.append(waiter)
        try:
            while True:
                news.clear()
                changes = await asyncio.to_thread(self._history.changes_since, owner_id, since)
                left = deadline - time.monotonic()
                if _worth_telling(changes, since) or left <= 0 or self._stopping:
                    return changes
                await self._until_news(owner_id, since, news, deadline)
        finally:
            with self._news:
                self._waiting.remove(waiter)

    async def _until_news(self, owner_id: int | None, since: int, news: asyncio.Event, deadline: float) -> None:
        while not (self._is_news(owner_id, since) or self._stopping):
            try:
                await asyncio.wait_for(news.wait(), max(0.0, deadline - time.monotonic()))
            except asyncio.TimeoutError:  # before Python 3.11 not the builtin one
                return
            news.clear()

    def _is_news(self, owner_id: int | None, since: int) -> bool:
        return (self._seen if owner_id is None else self._newest.get(owner_id, 0)) > since

    def _watch(self) -> None:
        while not self._stopping:
            try:
                self._follow()
            except Exception:  # the thread must outlive a full disk or a locked file
                log.exception("looking for changes failed; trying again")
                time.sleep(TRY_AGAIN_S)

    def _follow(self) -> None:
        with self._database.watch() as version:
            last: int | None = None  # the first look is at what was missed
            while not self._stopping:
                poked = self._poked.wait(LOOK_EVERY_S)
                self._poked.clear()
                if poked or version() != last:
                    last = version()
                    self._look()
                    time.sleep(MERGE_S)

    def _look(self) -> None:
        newest = self._history.newest_by_owner(self._seen)
        if newest:
            with self._news:
                self._newest.update(newest)
                self._seen = max(newest.values())
            self._tell()
        for listener in tuple(self._listeners.values()):
            listener()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
            for loop, news in self._waiting:
                loop.call_soon_threadsafe(news.set)


def _worth_telling(changes: Changes, since: int) -> bool:
    """Also where the caller's number is from another time (a restored backup): it must learn the present one."""
    return bool(changes.changed or changes.deleted or changes.now < since)
