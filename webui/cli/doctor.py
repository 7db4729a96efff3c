"""`doctor` and `devices`: what works here, what does not, why, and how to get it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from webui.cli import hardware
from webui.cli.common import DONE, FAILED, complain, private_files, sentence, settings_of
from webui.cli.texts import help_text
from webui.errors import UserError
from webui.settings import Settings, terminal_locale, work_offline

if TYPE_CHECKING:
    from webui.server.views_machine import Device

_MARKS = {"ok": "[ ok ]", "note": "[note]", "bad": "[FAIL]"}


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help=help_text("json"))] = False,
    self_test: Annotated[bool, typer.Option("--self-test", help=help_text("self_test"))] = False,
) -> int:
    from webui.cli.checks import examine

    if self_test:
        return _self_test(settings_of(context))
    lines = list(examine(settings_of(context)))
    if as_json:
        typer.echo(json.dumps([line.as_json() for line in lines], ensure_ascii=False, indent=2))
    else:
        for line in lines:
            typer.echo(f"{_MARKS[line.state]} {line.subject}: {line.text}")
            if line.hint:
                typer.echo(f"       → {line.hint}")
    return FAILED if any(line.state == "bad" for line in lines) else DONE


def _self_test(settings: Settings) -> int:
    """One JSON object a line and device, as soon as it is known; what went wrong goes to the standard error."""
    from webui.hosting import selftest

    work_offline(settings)
    sound = True
    for outcome in selftest.run(settings, settings.device):
        shown = {"device": outcome.device, "cer": _short(outcome.cer), "rtf": _short(outcome.rtf), "ok": outcome.ok}
        typer.echo(json.dumps(shown))
        if isinstance(outcome.problem, UserError):
            complain(f"{outcome.device}: {sentence(outcome.problem)}")
        elif outcome.problem is not None:
            complain(f"{outcome.device}: {type(outcome.problem).__name__}: {outcome.problem}")
        sound = sound and outcome.ok
    return DONE if sound else FAILED


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def devices(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help=help_text("json"))] = False,
    retry: Annotated[bool, typer.Option("--retry", help=help_text("retry"))] = False,
) -> int:
    found = _device_table(settings_of(context), retry)
    if as_json:
        typer.echo(json.dumps([device.model_dump() for device in found], ensure_ascii=False, indent=2))
        return DONE
    for device in found:
        memory = f"{device.memory_total / 2**30:.1f} GiB" if device.memory_total else ""
        mark = _MARKS["ok" if device.usable else "bad"]
        facts = [device.name, memory, device.tested, device.reason]
        typer.echo(f"{mark} {device.id:8} {'  '.join(fact for fact in facts if fact)}")
        for line in [*device.notes, *([f"→ {device.hint}"] if device.hint else [])]:
            typer.echo(f"       {line}")
    return DONE


def _device_table(settings: Settings, retry: bool) -> list[Device]:
    """The table, with what a server on this data folder has found out, where there is one.

    `retry`: forget what hung, for that server too.
    """
    from webui.cli.running import opened
    from webui.hosting.host import ModelHost
    from webui.server.present_machine import device_views
    from webui.service.device_table import device_table

    found = hardware.probe()
    if not settings.database.exists():
        return device_views(device_table(ModelHost(settings), [], found), terminal_locale())
    with private_files(), opened(settings, workers=False) as services:
        if retry:
            services.host.hangs.forget()
        table = device_table(services.host, services.models.available(), found)
        return device_views(table, terminal_locale())
