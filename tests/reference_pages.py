"""The pages of the documentation that are written from the program: `python -m tests.reference_pages` writes them.

`test_docs` fails where a page and the program differ.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from webui.settings import Settings
from webui.toml import read_toml

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ("zh", "en")
NOTE = "<!-- Written by `python -m tests.reference_pages`; not by hand. -->\n"

ERRORS = {
    "zh": """## 中文

接口用 `Accept-Language` 选择语言，默认中文。`{…}` 处填入当时的内容。状态是 HTTP 状态码。
没有办法一栏的，是填在别的提示里的原因。

| 代码 | 状态 | 意思 | 办法 |
|---|---|---|---|""",
    "en": """## English

`Accept-Language` chooses the language, Chinese otherwise. `{…}` is filled in. What has no cure is a reason that stands
inside another message.

| code | status | meaning | cure |
|---|---|---|---|""",
}
EXAMPLE = """# 声坊的配置：复制为 config.toml，去掉要改的行首的 #。每一行都是默认值。
# The configuration: copy it to config.toml and take away the # before what you change. Every line is the default.
# 由 python -m tests.reference_pages 写出 · written by it, not by hand. 说明 · more: docs/settings.md
"""
COMMANDS = {"zh": "## 中文\n", "en": "## English\n"}

PRINT_HELP = """
import sys
import typer
from typer.main import get_command
from webui.cli.application import build

def walk(command, names, parent=None):
    context = typer.Context(command, parent=parent, info_name=names[-1], terminal_width=100)
    print("\\0" + " ".join(names) + "\\0" + command.get_help(context))
    for name, below in getattr(command, "commands", {}).items():
        walk(below, [*names, name], context)

walk(get_command(build()), ["app.py"])
"""


def errors_page() -> str:
    entries = read_toml(ROOT / "webui/errors.toml")
    parts = ["# 提示与错误 · Errors, warnings and reasons", NOTE]
    for locale in LOCALES:
        rows = (_error_row(code, entry, locale) for code, entry in entries.items())
        parts.append("\n".join([ERRORS[locale], *rows]) + "\n")
    return "\n".join(parts)


def commands_page() -> str:
    parts = ["# 命令 · Commands", NOTE]
    for locale in LOCALES:
        parts.append(COMMANDS[locale])
        parts += [f"### `{name}`\n\n```\n{text}\n```\n" for name, text in _helps(locale)]
    return "\n".join(parts)


def example_configuration() -> str:
    """Every setting as a comment at its default, described as in docs/settings.md."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \| ([^|]*) \|$", _settings_page(), re.MULTILINE)
    described = {name: (chinese, english) for name, chinese, english in rows}
    return EXAMPLE + "".join(_example(name, field, *described[name]) for name, field in Settings.model_fields.items())


def _settings_page() -> str:
    return (ROOT / "docs/settings.md").read_text("utf-8")


def _example(name: str, field: FieldInfo, chinese: str, english: str) -> str:
    default = field.default
    if isinstance(default, Path):
        default = default.relative_to(ROOT).as_posix()
    value = json.dumps("" if default is None else default, ensure_ascii=False)
    descriptions = (chinese,) if english == "the same" else (chinese, english)
    return "".join(["\n", *(f"# {text}\n" for text in descriptions), f"#{name} = {value}\n"])


def _error_row(code: str, entry: Mapping[str, Any], locale: str) -> str:
    texts = entry[locale]
    cells = (f"`{code}`", str(entry["status"]), texts["message"], texts.get("hint", ""))
    return f"| {' | '.join(cells)} |"


def _helps(locale: str) -> Iterator[tuple[str, str]]:
    environment = {**os.environ, "LC_ALL": {"zh": "zh_CN.UTF-8", "en": "C.UTF-8"}[locale], "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", PRINT_HELP]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    texts = re.sub(r" +$", "", ran.stdout, flags=re.MULTILINE).split("\0")[1:]
    for name, text in zip(texts[::2], texts[1::2], strict=True):
        yield name, text.strip()


PAGES: dict[str, Callable[[], str]] = {
    "docs/errors.md": errors_page,
    "docs/commands.md": commands_page,
    "config.example.toml": example_configuration,
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        (ROOT / path).write_text(page(), "utf-8")
