"""Where the engines keep what was found out about this machine: measurements, and what hung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class KeyValueStore(Protocol):
    """Outlives the process."""

    def load(self, key: str) -> Mapping[str, Any] | None: ...

    def save(self, key: str, value: Mapping[str, Any]) -> None: ...


class InMemoryStore:
    """A memory of this process only."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}

    def load(self, key: str) -> Mapping[str, Any] | None:
        return self._kept.get(key)

    def save(self, key: str, value: Mapping[str, Any]) -> None:
        self._kept[key] = value
