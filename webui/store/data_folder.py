"""The database of a data folder, opened only where it is the one that the recordings there belong to.

A database that is new, older than the recordings (a backup put back by hand) or another one (a mistyped path) would
show none of them, and whoever works on with it makes putting the right one back harder by the hour.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from webui.errors import Notice
from webui.settings import Settings
from webui.store.database import Database
from webui.store.history_mark import MarkFile, mark_of
from webui.store.migrate import DatabaseRefused, open_database
from webui.store.orphans import orphaned_jobs, orphans


def open_data_folder(settings: Settings) -> Database:
    """Raises DatabaseRefused, for a database that is not the folder's with the code DATABASE_MISSING."""
    if not has_content(settings.database):
        _refuse("DATABASE_NEW", settings, orphaned_jobs(settings, None))
    remembered = MarkFile(settings.history_mark).read()
    database = open_database(settings.database)
    mark = mark_of(database)
    try:
        if remembered is None:
            _refuse_a_stranger(settings, database)
        elif remembered.id != mark.id:
            _refuse("DATABASE_OTHER", settings, orphaned_jobs(settings, database))
        elif remembered.change > mark.change:
            _refuse("DATABASE_OLDER", settings, orphaned_jobs(settings, database))
    except DatabaseRefused:
        database.close()
        raise
    return database


def unknown_files(settings: Settings) -> list[Path]:
    """What lies in the folder and its database, whichever that is, does not know. Raises DatabaseRefused."""
    if not has_content(settings.database):
        return orphans(settings, None)
    with closing(open_database(settings.database)) as database:
        return orphans(settings, database)


def has_content(database: Path) -> bool:
    return database.is_file() and database.stat().st_size > 0


def _refuse_a_stranger(settings: Settings, database: Database) -> None:
    """A folder of an earlier version remembers no database: one that knows none of its jobs is another one."""
    unknown = orphaned_jobs(settings, database)
    if len(unknown) == len(orphaned_jobs(settings, None)):
        _refuse("DATABASE_OTHER", settings, unknown)


def _refuse(reason: str, settings: Settings, unknown: list[Path]) -> None:
    if unknown:
        count = len({folder.name for folder in unknown})
        why = Notice(reason, {"file": str(settings.database), "folder": str(settings.data), "count": count})
        raise DatabaseRefused("DATABASE_MISSING", reason=why)
