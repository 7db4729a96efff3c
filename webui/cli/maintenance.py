"""Backups, putting them back, and checks of what is stored."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from webui.cli.common import DONE, FAILED, PARTLY_DONE, Failed, complain, private_files, settings_of
from webui.cli.texts import help_text, say
from webui.settings import Settings


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help=help_text("backup_folder"))],
    media: Annotated[bool, typer.Option("--media", help=help_text("backup_media"))] = False,
    keep: Annotated[int | None, typer.Option(min=1, help=help_text("backup_keep"))] = None,
) -> int:
    from webui.store.maintenance import back_up

    settings = settings_of(context)
    if not settings.database.is_file():
        raise Failed(say("no_such_file", file=settings.database))
    try:
        with private_files():
            written = back_up(settings, folder, media, keep)
    except sqlite3.Error as error:
        raise Failed(str(error)) from error
    typer.echo(say("written", file=written))
    return DONE


def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help=help_text("restore_backup"))],
) -> int:
    from webui.store.restore import restore as put_back

    settings = settings_of(context)
    with private_files(), _alone(settings):
        done = put_back(settings, source)
    typer.echo(say("restored", file=done.source, database=settings.database))
    if not done.verified:
        complain(say("restored_unverified", file=done.source.name))
    if done.copied:
        typer.echo(say("restored_copied", count=done.copied))
    if done.quarantine.exists():
        typer.echo(say("restored_aside", count=done.aside, folder=done.quarantine))
    if done.missing:
        complain(say("restored_missing", count=done.missing))
    return PARTLY_DONE if done.missing else DONE


def check(
    context: typer.Context,
    media: Annotated[bool, typer.Option("--media", help=help_text("check_media"))] = False,
    orphans: Annotated[bool, typer.Option("--orphans", help=help_text("check_orphans"))] = False,
    quarantine: Annotated[bool, typer.Option("--quarantine", help=help_text("check_quarantine"))] = False,
) -> int:
    settings = settings_of(context)
    if orphans or quarantine:
        return _quarantine(settings) if quarantine else _list_orphans(settings)
    findings = _findings(settings, media)
    for finding in findings:
        complain(finding)
    if not findings:
        typer.echo(say("ok"))
    return FAILED if findings else DONE


def _findings(settings: Settings, media: bool) -> list[str]:
    from webui.store.maintenance import check as look
    from webui.store.migrate import open_database
    from webui.store.stored_files import media_problems

    findings = look(settings.database)
    if findings or not media:
        return findings
    with closing(open_database(settings.database)) as database:
        return list(media_problems(settings, database))


def _list_orphans(settings: Settings) -> int:
    from webui.store.data_folder import unknown_files

    found = unknown_files(settings)
    for path in found:
        typer.echo(str(path))
    if found:
        complain(say("orphans", count=len(found)))
    else:
        typer.echo(say("ok"))
    return FAILED if found else DONE


def _quarantine(settings: Settings) -> int:
    from webui.store.data_folder import unknown_files
    from webui.store.orphans import Quarantine

    with private_files(), _alone(settings):
        found = unknown_files(settings)
        quarantine = Quarantine(settings)
        for path in found:
            quarantine.take(path)
            typer.echo(str(quarantine.folder / path.relative_to(settings.data)))
    typer.echo(say("quarantined", count=len(found), folder=quarantine.folder) if found else say("ok"))
    return DONE


def _alone(settings: Settings) -> ExitStack:
    """The work lock: a server takes files in before it knows them. Raises Failed."""
    from webui.jobs.recovery import AlreadyRunning, WorkLock

    held = ExitStack()
    try:
        held.enter_context(WorkLock(settings))
    except AlreadyRunning as error:
        raise Failed(say("already_running", pid=error.pid or "?")) from None
    return held
