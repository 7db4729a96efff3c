"""What a start puts in order: the locks that admit one server, jobs left running by a crash, orphaned files."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import time
from pathlib import Path
from types import TracebackType

from webui.settings import Settings
from webui.store.jobs import JobStore
from webui.store.queue import Queue

log = logging.getLogger(__name__)

_LEFT_OVER_S = 24 * 3600
_PID_LENGTH = 20  # overwritten in its place
LOCK_TRIES = 5  # a look at who holds the lock holds it for a moment


class AlreadyRunning(Exception):
    """Another process works on this data folder or database; `pid` is its number, where it could be read."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"another server (process {pid or 'unknown'}) is already working on this data folder")
        self.pid = pid


class AppLock:
    """An exclusive lock on a file, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Raises AlreadyRunning."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not any(self._try(number) for number in range(LOCK_TRIES)):
            pid = os.pread(self._file, _PID_LENGTH, 0).strip()
            os.close(self._file)
            raise AlreadyRunning(int(pid) if pid.isdigit() else None)
        with contextlib.suppress(OSError):  # the lock counts, not the number, which a full disk may refuse
            os.pwrite(self._file, str(os.getpid()).encode().ljust(_PID_LENGTH), 0)

    def release(self) -> None:
        os.close(self._file)

    def _try(self, number: int) -> bool:
        time.sleep(0.05 * bool(number))
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class WorkLock:
    """The right to work: of one process for a data folder, and for a database, wherever `data` points."""

    def __init__(self, settings: Settings) -> None:
        """Raises AlreadyRunning."""
        self._locks: list[AppLock] = []
        try:
            for path in _lock_files(settings):
                self._locks.append(AppLock(path))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        while self._locks:
            self._locks.pop().release()

    def __enter__(self) -> WorkLock:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.release()


def lock_holder(settings: Settings) -> int | None:
    """The process that works on the data folder now (0: one whose number cannot be read), None where none does.

    Raises AlreadyRunning where it works on another database, or with this database on another folder.
    """
    holders = {_holder(path) for path in _lock_files(settings)}
    if len(holders) > 1:
        raise AlreadyRunning(max(holder for holder in holders if holder is not None))
    return holders.pop()


def _lock_files(settings: Settings) -> tuple[Path, Path]:
    """One in the folder, one beside the database; links to the database lead to the same one."""
    database = settings.database.resolve()
    return settings.data / "app.lock", database.with_name(f"{database.name}.lock")


def _holder(path: Path) -> int | None:
    try:
        AppLock(path).release()
    except AlreadyRunning as running:
        return running.pid or 0
    return None


def recover(settings: Settings, queue: Queue, jobs: JobStore) -> None:
    """Run at start, with the lock held and before any worker."""
    found = queue.recover()
    if found.requeued or found.cancelled or found.given_up:
        log.info(
            "after a crash: %d jobs queued again, %d cancelled, %d given up",
            found.requeued,
            found.cancelled,
            found.given_up,
        )
    for root in (settings.uploads, settings.outputs):
        _put_in_order(root, jobs)
    _sweep(settings.temporary)


def clear_deleted(settings: Settings, jobs: JobStore, uid: str) -> None:
    """Remove what a worker wrote to a job's folders after its deletion had emptied them."""
    if jobs.known([uid], deleted=True):
        for root in (settings.uploads, settings.outputs):
            shutil.rmtree(root / uid, ignore_errors=True)


def _put_in_order(root: Path, jobs: JobStore) -> None:
    """Remove half-written files and what a deletion left; a folder that the database does not know stays.

    The database may be the younger or the wrong one: a backup put back, a mistyped path. Only a tombstone says
    that the owner deleted a job.
    """
    folders = {path.name: path for path in root.iterdir() if path.is_dir()} if root.is_dir() else {}
    for name in jobs.known(list(folders), deleted=True):
        log.info("removing %s, whose job was deleted", name)
        shutil.rmtree(folders.pop(name), ignore_errors=True)
    for folder in folders.values():
        for part in folder.rglob("*.part"):
            part.unlink(missing_ok=True)
    unknown = folders.keys() - jobs.known(list(folders))
    if orphans := sum(not _gone_if_empty(folders[name]) for name in unknown):
        log.warning("%d folders in %s belong to no job of this database; they are kept", orphans, root.name)


def _gone_if_empty(folder: Path) -> bool:
    """A kill before its recording came leaves a folder with nothing in it."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove what a killed process left; no work needs a temporary file for a day."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if time.time() - path.lstat().st_mtime > _LEFT_OVER_S:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
