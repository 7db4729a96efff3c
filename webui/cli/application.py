"""The commands put together, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from webui.cli import admin, doctor, jobs, maintenance, models, serve
from webui.cli.arguments import arrange
from webui.cli.common import FAILED, WRONG_USAGE, Failed, WrongUsage, complain, exit_code, sentence
from webui.cli.texts import help_text, say
from webui.errors import UserError
from webui.settings import BadSettings

log = logging.getLogger(__name__)

_COMMANDS: dict[str, Callable[..., int]] = {
    "serve": serve.serve,
    "transcribe": jobs.transcribe,
    "speak": jobs.speak,
    "devices": doctor.devices,
    "doctor": doctor.doctor,
    "backup": maintenance.backup,
    "restore": maintenance.restore,
    "check": maintenance.check,
}
_GROUPS: dict[str, dict[str, Callable[..., int]]] = {
    "models": models.COMMANDS,
    "history": {"export": admin.export_history},
    "config": {"show": admin.show_config},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 partly done."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return build()(arrange(given, {*_COMMANDS, *_GROUPS}), prog_name="app.py", standalone_mode=False) or 0
    except typer.TyperException as error:
        complain(say("error", message=error.format_message()))
        return WRONG_USAGE
    except (WrongUsage, BadSettings) as error:
        complain(say("error", message=error))
        return WRONG_USAGE
    except Failed as error:
        complain(say("error", message=str(error)))
        return FAILED
    except UserError as error:
        complain(say("error", message=sentence(error)))
        return exit_code(error)
    except (KeyboardInterrupt, typer.Abort):
        complain(say("interrupted"))
        return FAILED
    except Exception as error:
        log.debug("command failed", exc_info=True)
        complain(say("error", message=_unexpected(error)))
        return FAILED


def _unexpected(error: Exception) -> str:
    """A file or folder that cannot be used is named; anything else is an error of ours."""
    if isinstance(error, OSError) and error.strerror:
        return say("file_refused", file=error.filename, reason=error.strerror) if error.filename else error.strerror
    return say("internal", kind=type(error).__name__, message=error)


def build() -> typer.Typer:
    """All commands, worded in the terminal's locale."""
    program = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    program.callback(help=help_text("program"))(_common)
    for name, command in _COMMANDS.items():
        program.command(name, help=help_text(name), epilog=help_text("everywhere"))(command)
    for name, commands in _GROUPS.items():
        _add_group(program, name, commands)
    return program


def _add_group(program: typer.Typer, name: str, commands: dict[str, Callable[..., int]]) -> None:
    group = typer.Typer(rich_markup_mode=None)
    group.callback(help=help_text(name))(lambda: None)
    for verb, command in commands.items():
        group.command(verb, help=help_text(f"{name}_{verb}"), epilog=help_text("everywhere"))(command)
    program.add_typer(group, name=name)


def _common(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option(help=help_text("data"))] = None,
    models: Annotated[Path | None, typer.Option(help=help_text("models_folder"))] = None,
    config: Annotated[Path | None, typer.Option(help=help_text("config_file"))] = None,
    device: Annotated[str | None, typer.Option(help=help_text("device"))] = None,
    history_db: Annotated[Path | None, typer.Option(help=help_text("history_db"))] = None,
    model_path: Annotated[Path | None, typer.Option(help=help_text("model_path"))] = None,
    log_level: Annotated[str | None, typer.Option(help=help_text("log_level"))] = None,
) -> None:
    """Options of every command; they may stand before or after its name."""
    context.obj = {
        "data": data,
        "models": models,
        "config": config,
        "device": device,
        "history_db": history_db,
        "model_path": model_path,
        "log_level": log_level,
    }
