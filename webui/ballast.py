"""A file of nothing beside the database, put aside while there is room.

On a full disk SQLite cannot even delete. Taken away, the file leaves the room that a deletion and a start need.
"""

from __future__ import annotations

import contextlib
import logging
import os

from webui.disk import ROOM_TO_WORK, free_bytes, total_bytes
from webui.settings import Settings

log = logging.getLogger(__name__)

SHARE = 16  # of a small disk it takes no more than this part


class Ballast:
    """The file is all there is to remember: any number of these may stand for it."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.database.parent
        self._path = self._folder / "ballast"
        self._most = settings.ballast_bytes

    def give_way(self) -> None:
        """Before a deletion: where the disk is full, the file goes."""
        if free_bytes(self._folder) < self._size() and self._path.exists():
            log.warning("the disk is full: what was put aside is given up, so that things can be deleted")
            self._path.unlink(missing_ok=True)

    def keep(self) -> None:
        """Put the file back where there is room for it and for work."""
        if self._path.exists() or not self._size() or free_bytes(self._folder) < self._size() + ROOM_TO_WORK:
            return
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size())
            part.replace(self._path)
        except OSError:  # somebody took the room meanwhile
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def missing(self) -> int:
        """The bytes still to be put aside, which are nobody's to use."""
        return 0 if self._path.exists() else self._size()

    def _size(self) -> int:
        return min(self._most, total_bytes(self._folder) // SHARE)
