"""`shengfang.toml` in a model folder: our own word on what it is for, where its content alone does not say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webui.errors import Notice
from webui.untrusted import Unreadable, read_toml

NAME = "shengfang.toml"
_LARGEST = 2**12  # bytes


@dataclass(frozen=True)
class Marker:
    """`self_test`: there to show that a machine works, of no use on people's recordings."""

    self_test: bool
    languages: tuple[str, ...]


def read(folder: Path) -> Marker | None:
    """The folder's marker; None where it has none. Raises Unreadable, OSError."""
    file = folder / NAME
    if not file.exists():
        return None
    found = read_toml(file, _LARGEST)
    languages = found.get("languages", [])
    if not isinstance(languages, list) or not all(isinstance(language, str) for language in languages):
        raise Unreadable("FILE_KEY", file=NAME, key="languages", reason=Notice("FIELD_LIST"))
    return Marker(found.get("purpose") == "self-test", tuple(languages))
