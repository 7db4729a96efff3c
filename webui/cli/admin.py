"""Administrator's commands: history and configuration. They open the database beside a running server."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from webui.cli.common import DONE, WrongUsage, private_files, settings_of, umask
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

    with private_files() as usual, opened(settings_of(context), workers=False) as services:
        everybody = JobFilter(owner_id=None)
        rows = services.jobs.stream(everybody)
        blocks = history_csv(rows) if file_format == "csv" else history_json(rows, terminal_locale())
        with umask(usual), out.open("wb") if out else nullcontext(sys.stdout.buffer) as target:
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
