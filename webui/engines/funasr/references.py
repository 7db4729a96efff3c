"""References in a FunASR configuration: `${llm_conf.init_param_path}` stands for what that key holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from webui.untrusted import Unreadable

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_DEEPEST = 8  # references that lead to references
_MOST_VALUES = 20_000  # in what comes out; every reference may copy what it names


def resolved(config: Mapping[str, Any], file: str) -> dict[str, Any]:
    """`config` with what its references name; unknown ones stay. Raises Unreadable for what grows beyond measure."""
    found: dict[str, Any] = _Resolver(config, file).value(dict(config), _DEEPEST)
    return found


class _Resolver:
    def __init__(self, config: Mapping[str, Any], file: str) -> None:
        self._config = config
        self._file = file
        self._left = _MOST_VALUES

    def value(self, value: Any, depth: int) -> Any:
        """A copy without references."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("FILE_CROWDED", file=self._file)
        if isinstance(value, dict):
            return {key: self.value(inner, depth) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, depth) for inner in value]
        reference = _REFERENCE.fullmatch(value) if isinstance(value, str) and depth else None
        found = self._named(reference[1]) if reference else None
        return value if found is None else self.value(found, depth - 1)

    def _named(self, path: str) -> Any:
        found: Any = self._config
        for key in path.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        return found
