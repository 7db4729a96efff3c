"""What the installation pages tell an administrator exists: variables, options, commands, files and versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webui.engines import catalog
from webui.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
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


def test_every_file_that_is_linked_or_named_is_there(page: str, request: pytest.FixtureRequest) -> None:
    folder = (ROOT / request.node.callspec.params["page"]).parent
    linked = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page)]
    assert [link for link in linked if link and not (folder / link).exists()] == []
    named = re.findall(r"`((?:requirements[\w-]*\.txt|deploy/[\w.]+))`", page)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_versions_in_the_table_are_those_of_the_requirements() -> None:
    page = (ROOT / "docs/install.md").read_text("utf-8")
    for name, row in re.findall(r"`(requirements[\w-]*\.txt)` \| ([^|\n]+)\|", page):
        pinned = re.findall(r"^torch==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
        assert re.findall(r"\d+\.\d+\.\d+", row)[0] == pinned[0], name
