"""`shengfang.toml` in a model folder: our own word on what it is for, where its content alone does not say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webui.toml import read_toml

NAME = "shengfang.toml"


@dataclass(frozen=True)
class Marker:
    """`self_test`: there to show that a machine works, of no use on people's recordings."""

    self_test: bool
    languages: tuple[str, ...]


def read(folder: Path) -> Marker | None:
    """The folder's marker; None where it has none that can be read."""
    try:
        found = read_toml(folder / NAME)
    except (OSError, ValueError):
        return None
    return Marker(found.get("purpose") == "self-test", tuple(map(str, found.get("languages", ()))))
