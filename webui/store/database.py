"""The SQLite database: connections that read and connections that write; migrate.py makes the file ready.

WAL with `synchronous=FULL`; every write transaction is BEGIN IMMEDIATE, because a transaction that begins with
a read and then writes fails with "database is locked" however long the busy timeout is. Within the process writers
come one after the other, in the order in which they asked: SQLite itself lets them guess.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from webui.disk import disk_full
from webui.errors import Notice, UserError
from webui.store.fair_lock import FairLock

BUSY_S = 10.0  # how long somebody waits for the database before BUSY
RETRY_AFTER_S = 5
_BUSY_TIMEOUT = "busy_timeout=2000"  # ms, of one attempt at a database that another process holds
_PRAGMAS = (
    _BUSY_TIMEOUT,
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is overwritten, not only unlinked
    "trusted_schema=OFF",
    "temp_store=MEMORY",  # else it lies in /var/tmp
)


class Database:
    """Pooled connections to one SQLite file. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open_file = _OpenFile(path)
        self._engine = _engine(path)
        event.listen(self._engine, "do_connect", self._open_file.connect)
        self._writer = self._engine.execution_options(immediate=True)
        self._turn = FairLock()
        self._wait_s: float | None = BUSY_S
        self._listeners: dict[object, Callable[[], None]] = {}
        self._make_room: Callable[[], None] | None = None

    def patient(self) -> Database:
        """The same database for work that must not fail: `write` waits for its turn as long as it takes."""
        twin = copy.copy(self)
        twin._wait_s = None
        return twin

    def brief(self) -> Database:
        """The same database for a question about it: `write` raises BUSY after a second or two."""
        twin = copy.copy(self)
        twin._wait_s = 1.0
        return twin

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view: one deferred transaction, for reading only. Raises UserError BUSY."""
        with self._worded(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One BEGIN IMMEDIATE transaction; committed at the end, rolled back by an exception.

        Raises UserError DISK_FULL where SQLite found no room; everything committed before stands. Raises BUSY where
        others write all the time, DATABASE_MISSING where by now another file or none is at `path`; nothing has been
        done then.
        """
        self._open_file.check_in_place()
        deadline = None if self._wait_s is None else time.monotonic() + self._wait_s
        with self._turn.held(self._wait_s) as mine, self._worded(), ExitStack() as stack:
            if not mine:
                raise _busy()
            yield self._begin(stack, deadline)
        for listener in tuple(self._listeners.values()):
            listener()

    def _begin(self, stack: ExitStack, deadline: float | None) -> Connection:
        """The connection of a transaction that `stack` ends; another process may hold the database meanwhile."""
        while True:
            try:
                return stack.enter_context(self._writer.begin())
            except OperationalError as error:
                if not _is_busy(error) or (deadline is not None and time.monotonic() >= deadline):
                    raise

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            if "disk is full" in str(error.orig):
                raise disk_full(self.path) from error
            if _is_busy(error):
                raise _busy() from error
            raise

    @contextmanager
    def erase(self) -> Iterator[Connection]:
        """`write`, for what deletes or replaces something entrusted to us.

        Afterwards neither the file nor the write-ahead log holds it; where others read meanwhile, after a later one.
        """
        if self._make_room is not None:
            self._make_room()
        with self.write() as connection:
            yield connection
        self.empty_log()

    def before_deletions(self, make_room: Callable[[], None]) -> None:
        """Call `make_room` (quick, thread-safe) before every `erase`: deleting takes some room too."""
        self._make_room = make_room

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], object]:
        """Call `listener` (quick, thread-safe) after every commit of this process; returns what undoes it."""
        key = object()
        self._listeners[key] = listener
        return partial(self._listeners.pop, key, None)

    @contextmanager
    def watch(self) -> Iterator[Callable[[], int]]:
        """A function giving a number that changes when anybody, another process included, has committed."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            yield lambda: int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            connection.close()

    def empty_log(self) -> None:
        """Leave nothing of what was deleted in the write-ahead log; while others read, a later call does."""
        with self._turn.held():
            connection = self._engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute("PRAGMA busy_timeout=0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                cursor.execute(f"PRAGMA {_BUSY_TIMEOUT}")
            finally:
                connection.close()

    def in_place(self) -> bool:
        """Whether the file that is open is still the one at `path`: what is written to a removed file is lost."""
        return self._open_file.in_place()

    def close(self) -> None:
        self._engine.dispose()


def database_gone(path: Path) -> Notice:
    return Notice("DATABASE_MISSING", {"reason": Notice("DATABASE_GONE", {"file": str(path)})})


class _OpenFile:
    """The file that was opened first, by device and inode."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None

    def in_place(self) -> bool:
        return self._first is None or self._first == self._now()

    def check_in_place(self) -> None:
        if not self.in_place():
            raise database_gone(self._path).as_error()

    def connect(self, _dialect: Any, _record: Any, arguments: Any, keywords: Any) -> sqlite3.Connection:
        """SQLite by itself would create the file that was removed, or open the one that took its place."""
        self.check_in_place()
        connection = sqlite3.connect(*arguments, **keywords)
        self._first = self._first or self._now()
        return connection

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=16,
        max_overflow=-1,
        json_serializer=partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin, not by the driver
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _is_busy(error: OperationalError) -> bool:
    return "database is locked" in str(error.orig)


def _busy() -> UserError:
    return UserError("BUSY", retry_after=RETRY_AFTER_S)
