"""What lies in the data folder and the database does not know. It is counted, listed and moved, never deleted."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from itertools import count
from pathlib import Path

from sqlalchemy import Column, select

from webui.settings import Settings
from webui.store.database import Database
from webui.store.schema import IS_OPEN, jobs, voices

_UID = re.compile(r"[0-9a-f]{32}")
_AT_ONCE = 500  # values in one query


def orphaned_jobs(settings: Settings, database: Database | None) -> list[Path]:
    """Folders of uploads/ and outputs/ with files of a job that `database` (None: there is none) does not know."""
    folders = [
        folder
        for root in (settings.uploads, settings.outputs)
        for folder in _entries(root)
        if _UID.fullmatch(folder.name) and _holds_files(folder)
    ]
    known = _known(database, jobs.c.uid, [folder.name for folder in folders])
    return [folder for folder in folders if folder.name not in known]


def orphans(settings: Settings, database: Database | None) -> list[Path]:
    """Everything in the folder that `database` (None: there is none) does not know."""
    return [*orphaned_jobs(settings, database), *_orphaned_prompts(settings, database)]


def unfinished_jobs(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(jobs.c.uid).where(jobs.c.deleted_at.is_(None), IS_OPEN)).scalars())


class Quarantine:
    """A folder of data/quarantine/, named by the time, with what was set aside at the places it had in data/."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data
        stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        names = (settings.quarantine / (f"{stamp}-{number}" if number else stamp) for number in count())
        self.folder = next(folder for folder in names if not folder.exists())

    def take(self, path: Path) -> None:
        """Move a file or folder of data/. Raises OSError."""
        shutil.move(path, self._place(path.relative_to(self._data)))

    def keep(self, path: Path, name: str | None = None) -> None:
        """A second name for what may be overwritten: files are replaced here, never written to. Raises OSError."""
        target = self._place(Path(name) if name else path.relative_to(self._data))
        if path.is_dir():
            shutil.copytree(path, target, copy_function=_link_or_copy)
        else:
            _link_or_copy(path, target)

    def _place(self, name: Path) -> Path:
        target = self.folder / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target


def _orphaned_prompts(settings: Settings, database: Database | None) -> list[Path]:
    """Files of voices/ whose voice `database` does not know."""
    files = [file for file in _entries(settings.voices) if _UID.fullmatch(file.stem) and file.suffix == ".wav"]
    known = _known(database, voices.c.uid, [file.stem for file in files])
    return [file for file in files if file.stem not in known]


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _known(database: Database | None, column: Column[str], uids: Sequence[str]) -> set[str]:
    if database is None:
        return set()
    with database.read() as connection:
        return {
            uid
            for at in range(0, len(uids), _AT_ONCE)
            for uid in connection.execute(select(column).where(column.in_(uids[at : at + _AT_ONCE]))).scalars()
        }


def _entries(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []


def _holds_files(folder: Path) -> bool:
    """Nothing half-written counts: nobody was told that it was accepted."""
    return any(not name.endswith(".part") for name in _file_names(folder))


def _file_names(folder: Path) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from names
