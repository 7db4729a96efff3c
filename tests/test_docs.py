"""What the documentation names exists, and what exists is documented: settings, commands, routes, codes, modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import reference_pages
from webui.engines import catalog
from webui.server.application import create_app
from webui.service.services import Services
from webui.settings import ROOT as PROGRAM
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "webui"
PAGES = ("README.md", "README.en.md", "docs/install.md")
SCRIPT = (ROOT / "start_app.sh").read_text("utf-8")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return (ROOT / request.param).read_text("utf-8")


def test_every_variable_is_read_by_the_start_script_or_the_settings(page: str) -> None:
    settings = {f"SHENGFANG_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"SHENGFANG_\w+", page))
    assert named
    assert {name for name in named - settings if name not in SCRIPT} == set()


def test_every_option_of_the_start_script_is_one(page: str) -> None:
    from typer.main import get_command

    from webui.cli.application import build

    commands = get_command(build()).commands  # type: ignore[attr-defined]
    for line in re.findall(r"\./start_app\.sh([^`\n#(（]*)", page):
        words = line.split()
        for option in (word for word in words if word.startswith("--")):
            assert f"{option})" in SCRIPT or option == "--self-test", line
        first = next((word for at, word in enumerate(words) if not word.startswith("--") and _free(words, at)), None)
        assert first is None or first in commands, line


def _free(words: list[str], at: int) -> bool:
    """Whether the word stands by itself and is not an option's value."""
    return at == 0 or words[at - 1] not in ("--pack", "--wheelhouse")


def test_every_model_that_is_to_be_pulled_is_in_the_catalogue(page: str) -> None:
    known = catalog.entries(Settings())
    pulled = re.findall(r"models pull ([\w.-]*\w)", page)
    assert pulled
    assert set(pulled) <= set(known)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "models/README.md"], ids=lambda path: path.name
)
def test_every_file_that_is_linked_is_there(path: Path) -> None:
    linked = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8"))]
    local = [link for link in linked if link and "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_every_file_that_is_named_is_there(page: str) -> None:
    named = re.findall(r"`((?:requirements[\w-]*\.txt|deploy/[\w.]+))`", page)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_versions_in_the_table_are_those_of_the_requirements() -> None:
    page = (ROOT / "docs/install.md").read_text("utf-8")
    for name, row in re.findall(r"`(requirements[\w-]*\.txt)` \| ([^|\n]+)\|", page):
        pinned = re.findall(r"^torch==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert re.findall(r"\d+\.\d+\.\d+", row)[0] == pinned[0], name


def test_every_setting_stands_on_its_page_with_its_default() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? *\|", page, re.MULTILINE))
    assert documented == {name: _written(field.default) for name, field in Settings.model_fields.items()}


def _written(default: object) -> str:
    """A default as config.toml would have it; paths from the program's folder."""
    if default in (None, ""):
        return ""
    if isinstance(default, Path):
        return str(default.relative_to(PROGRAM))
    return {"True": "true", "False": "false", "()": "[]"}.get(str(default), str(default))


def test_every_route_is_documented_and_every_documented_one_is_there(settings: Settings) -> None:
    services = Services(settings)
    try:
        described = create_app(services).openapi()["paths"]
    finally:
        services.stop()
    routed = {_nameless(f"{method.upper()} {path}") for path, methods in described.items() for method in methods}
    page = (ROOT / "docs/api.md").read_text("utf-8")
    named = {_nameless(route) for route in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /\S+)`", page)}
    assert named == routed


def _nameless(route: str) -> str:
    return re.sub(r"\{\w+\}", "{}", route)


@pytest.mark.parametrize("path", sorted(reference_pages.PAGES))
def test_a_page_written_from_the_program_is_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == reference_pages.PAGES[path](), "run `python -m tests.reference_pages`"


def test_every_module_stands_in_the_architecture_and_every_one_named_there_is_there() -> None:
    """But those of one engine alone (in its folder), and what is only a folder's `__init__`."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", page))
    assert {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()} == set()
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.stem != "__init__"}
    shared = {path for path in modules if not _in_an_engine(path) and path.parts[:2] != ("store", "migrations")}
    folders = {f"{path.parent}/" for path in modules if len(path.parts) > 1 and "versions" not in path.parts}
    assert ({path.as_posix() for path in shared} | folders) - named == set()


def _in_an_engine(path: Path) -> bool:
    return path.parts[0] == "engines" and len(path.parts) > 2


def test_every_function_and_class_that_the_architecture_names_is_there() -> None:
    modules = (ROOT / "docs/architecture.md").read_text("utf-8").split("## The life of a job")[0]
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    defined = set(re.findall(r"^ *(?:def|class) (\w+)|^(?:from \S+ import )(\w+)", code, re.MULTILINE))
    names = {name for pair in defined for name in pair}
    quoted = [part for text in re.findall(r"`([^`\n]+)`", modules) for part in re.findall(r"(\w+)\(", text)]
    classes = re.findall(r"`([A-Z]\w*[a-z]\w*)`", modules)
    assert len(quoted) > 10 and len(classes) > 5
    assert {name for name in [*quoted, *classes] if name not in names} == set()
