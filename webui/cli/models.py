"""`models list | import | pull | verify | optimise | export-onnx`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webui.cli.common import DONE, FAILED, complain, settings_of
from webui.cli.texts import help_text, say
from webui.settings import terminal_locale, work_offline

if TYPE_CHECKING:
    from webui.engines.base import AnyModel
    from webui.engines.catalog import Entry


def list_models(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help=help_text("json"))] = False
) -> int:
    from webui.engines import catalog

    settings = settings_of(context)
    present = catalog.to_show(catalog.available(settings))
    known = catalog.entries(settings)
    missing = [entry for name, entry in known.items() if not (settings.models / name).exists()]
    if as_json:
        shown = {"models": [_as_json(model) for model in present], "catalog": [_entry_json(e) for e in missing]}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return DONE
    for model in present:
        problem = model.problem.worded(terminal_locale()).message if model.problem else ""
        typer.echo(f"{model.name:28} {model.engine:10} {model.kind:12} {problem}")
    typer.echo(say("obtainable"))
    for entry in missing:
        typer.echo(f"  {entry.name:26} {_size(entry.size_bytes):>8}  {entry.title[terminal_locale()]}")
    return DONE


def import_model(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help=help_text("folder"))],
    link: Annotated[bool, typer.Option("--link", help=help_text("link"))] = False,
) -> int:
    from webui.engines import catalog

    name = catalog.import_folder(settings_of(context), folder, link)
    typer.echo(say("imported", name=name))
    return DONE


def pull_model(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=help_text("model"))],
    source: Annotated[str | None, typer.Option(help=help_text("source"))] = None,
) -> int:
    from webui.engines.download import pull

    folder = pull(settings_of(context), name, source, _show_progress)
    typer.echo(say("written", file=folder))
    return DONE


def verify_model(context: typer.Context, name: Annotated[str, typer.Argument(help=help_text("model"))]) -> int:
    from webui.engines import verification

    findings = verification.verify(settings_of(context), name)
    for finding in findings:
        worded = finding.worded(terminal_locale())
        complain(": ".join(filter(None, (worded.message, worded.hint))))
    if not findings:
        typer.echo(say("ok"))
    return FAILED if findings else DONE


def optimise_model(context: typer.Context, name: Annotated[str, typer.Argument(help=help_text("model"))]) -> int:
    from webui.engines import catalog

    settings = settings_of(context)
    work_offline(settings)
    catalog.optimise(settings, name)
    report = next(model.optimised for model in catalog.available(settings) if model.name == name and model.optimised)
    for part, error in report["errors"].items():
        typer.echo(say("optimised_part", part=part, error=f"{error:.2%}"))
    typer.echo(say("optimised", use=report["use"]))
    return DONE


def export_onnx(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=help_text("model"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=help_text("onnx_out"))] = None,
) -> int:
    from webui.engines.funasr.onnx.fixed_length_export import export
    from webui.engines.funasr.onnx.fixed_length_manifest import CHIPS

    settings = settings_of(context)
    target = out or settings.cache / "onnx" / name
    manifest = export(name, settings, target)
    for bucket in manifest.buckets:
        typer.echo(say("exported", file=target / bucket.file, frames=bucket.frames, error=f"{bucket.error:.1e}"))
    typer.echo(say("atc", folder=target))
    for chip in CHIPS:
        typer.echo("\n".join(shlex.join(bucket.atc(chip)) for bucket in manifest.buckets))
    return DONE


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done / 2**20:.0f} / {total / 2**20:.0f} MiB", end="", file=sys.stderr, flush=True)


def _size(size: int) -> str:
    return "?" if not size else f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _as_json(model: AnyModel) -> dict[str, object]:
    return {
        "name": model.name,
        "engine": model.engine,
        "kind": model.kind,
        "revision": model.revision,
        "languages": model.capabilities.languages,
        "size_bytes": model.size_bytes,
        "problem": model.problem.worded(terminal_locale()).message if model.problem else None,
    }


def _entry_json(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "title": entry.title[terminal_locale()],
        "kind": entry.kind,
        "languages": entry.languages,
        "size_bytes": entry.size_bytes or None,
        "licence": entry.licence,
        "source": dict(entry.sources),
    }


COMMANDS: dict[str, Callable[..., int]] = {
    "list": list_models,
    "import": import_model,
    "pull": pull_model,
    "verify": verify_model,
    "optimise": optimise_model,
    "export-onnx": export_onnx,
}
