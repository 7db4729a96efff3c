"""Administrator's commands: history, configuration, backups. They open the database beside a running server."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from webui.cli.common import DONE, FAILED, Failed, WrongUsage, complain, private_files, settings_of
from webui.cli.texts import help_text, say
from webui.settings import Settings, origins, terminal_locale


def export_history(
    context: typer.Context,
    file_format: Annotated[str, typer.Option("--format", help=help_text("export_format"))] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help=help_text("export_out"))] = None,
) -> int:
    if file_format not in ("csv", "json"):
        raise WrongUsage(say("one_of", option="--format", known="csv, json"))
    from webui.cli.running import opened
    from webui.server.exports import history_csv, history_json
    from webui.store.rows import JobFilter

    with opened(settings_of(context), workers=False) as services:
        everybody = JobFilter(owner_id=None)
        rows = services.jobs.stream(everybody)
        blocks = history_csv(rows) if file_format == "csv" else history_json(rows, terminal_locale())
        with out.open("wb") if out else nullcontext(sys.stdout.buffer) as target:
            for block in blocks:
                target.write(block)
            target.flush()
    return DONE


def show_config(
    context: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help=help_text("origin"))] = False,
) -> int:
    given = dict(context.find_root().obj)
    settings = settings_of(context)
    sources = origins(given.pop("config"), **given)
    for key in Settings.model_fields:
        value = getattr(settings, key)
        shown = ", ".join(value) if isinstance(value, tuple) else "" if value is None else value
        typer.echo(f"{key} = {shown}" + (f"    # {sources[key]}" if origin else ""))
    return DONE


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help=help_text("backup_folder"))],
    media: Annotated[bool, typer.Option("--media", help=help_text("backup_media"))] = False,
) -> int:
    from webui.store.maintenance import back_up

    settings = settings_of(context)
    if not settings.database.is_file():
        raise Failed(say("no_such_file", file=settings.database))
    try:
        with private_files():
            written = back_up(settings, folder, media)
    except sqlite3.Error as error:
        raise Failed(str(error)) from error
    typer.echo(say("written", file=written))
    return DONE


def check(context: typer.Context) -> int:
    from webui.store import maintenance

    findings = maintenance.check(settings_of(context).database)
    for finding in findings:
        complain(finding)
    if not findings:
        typer.echo(say("ok"))
    return FAILED if findings else DONE
