"""The files that a database names, below data/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from webui.disk import sha256
from webui.settings import Settings
from webui.store.database import Database
from webui.store.schema import artifacts, voice_consents, voices


@dataclass(frozen=True)
class StoredFile:
    """`path` is relative to data/; `sha256` in hex, None where it was not taken."""

    path: str
    sha256: str | None


def stored_files(database: Database) -> list[StoredFile]:
    """Recordings and results of jobs, prompts of voices whose consent nobody withdrew."""
    withdrawn = select(voice_consents.c.voice_id).where(voice_consents.c.revoked_at.is_not(None))
    prompts = select(voices.c.prompt_path, voices.c.prompt_sha256)
    prompts = prompts.where(voices.c.deleted_at.is_(None), voices.c.id.not_in(withdrawn))
    with database.read() as connection:
        rows = [
            *connection.execute(select(artifacts.c.path, artifacts.c.sha256).order_by(artifacts.c.id)),
            *connection.execute(prompts.order_by(voices.c.id)),
        ]
    return [StoredFile(path, digest) for path, digest in rows]


def media_problems(settings: Settings, database: Database) -> Iterator[str]:
    """Files that are missing or are not what they were: one line for each. Reads every byte. Raises OSError."""
    for file in stored_files(database):
        path = settings.data / file.path
        if not path.is_file():
            yield f"{file.path}: no such file"
        elif file.sha256 is not None and sha256(path) != file.sha256:
            yield f"{file.path}: does not match its checksum"
