"""What is wrong with a model's folder: what the list says of it, and what reading every byte shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from webui.disk import sha256
from webui.engines import catalog
from webui.engines.weight_files import is_sound, is_torch, problem_of
from webui.errors import Notice
from webui.settings import Settings
from webui.untrusted import Unreadable, read_json

MANIFEST = ".shengfang.json"  # sizes and checksums, written by a download


def verify(settings: Settings, name: str) -> list[Notice]:
    """What the list says, presence of the needed files, sizes and checksums where known, the weights' wholeness.

    Empty = all is well. Raises UserError MODEL_NOT_FOUND.
    """
    folder = catalog.folder_of(settings, name)
    findings = [
        reason
        for model in catalog.available(settings)
        if model.name == name and model.problem is not None
        if isinstance(reason := model.problem.params.get("reason", model.problem), Notice)
    ]
    try:
        findings += _of_files(settings, folder, name)
    except OSError as error:
        findings.append(Notice("FILE_LOCKED", {"file": Path(str(error.filename or folder)).name}))
    return [finding for index, finding in enumerate(findings) if finding not in findings[:index]]


def _of_files(settings: Settings, folder: Path, name: str) -> Iterator[Notice]:
    known = catalog.recognise(settings, folder)
    entry = next((entry for entry in known if entry.name == name), known[0] if known else None)
    yield from _missing(folder, entry.needed) if entry else []
    sizes = dict(entry.sizes) if entry else {}
    manifest = _manifest(folder)
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        relative = path.relative_to(folder).as_posix()
        yield from _check_file(path, relative, manifest.get(relative, {"size": sizes.get(relative)}))


def _missing(folder: Path, needed: tuple[str, ...]) -> list[Notice]:
    absent = [names for names in needed if not any((folder / name).is_file() for name in names.split("|"))]
    return [Notice("FILE_MISSING", {"file": names.replace("|", " / ")}) for names in absent]


def _manifest(folder: Path) -> dict[str, Mapping[str, Any]]:
    try:
        files = read_json(folder / MANIFEST)["files"]
        return {name: facts for name, facts in files.items() if isinstance(facts, dict)}
    except (OSError, Unreadable, KeyError, TypeError, AttributeError):
        return {}


def _check_file(path: Path, relative: str, expected: Mapping[str, Any]) -> Iterator[Notice]:
    found = problem_of(path, relative)
    if found is not None and found.code != "FILE_DAMAGED":
        yield found
        return
    size = path.stat().st_size
    if expected.get("size") not in (None, size):
        yield Notice("FILE_SIZE", {"file": relative, "size": size, "expected": expected["size"]})
    elif expected.get("sha256"):
        if sha256(path) != expected["sha256"]:
            yield Notice("FILE_CHANGED", {"file": relative})
    elif found is not None or (is_torch(path) and not is_sound(path)):
        yield Notice("FILE_DAMAGED", {"file": relative})
