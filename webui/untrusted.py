"""Reading small JSON, TOML and YAML files that nobody vouches for: a model folder's, an administrator's.

What comes out is plain, of bounded size and depth, free of cycles and of texts that are no file name; it takes well
under 100 ms. Links are followed: the caches of the hubs are made of them.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from webui.errors import Notice
from webui.toml import parse_toml

MOST_BYTES = 2**18  # of a file; the real ones have a few kB
_MOST_NODES = 16_000  # values in it
_DEEPEST = 32
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\."""
_DOTTED = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*){{{_DEEPEST}}}")
_LONGEST = 2**14  # characters of a YAML number or word: turning it into a number takes the square of it


class Unreadable(ValueError):
    """A file or folder that cannot be used; `notice` says why, naming it."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(f"{code} {params}")
        self.notice = Notice(code, params)


def read_json(path: Path) -> Any:
    """Raises Unreadable, or OSError where it is not there or not to be read."""
    return _plain(path, json.loads)


def read_toml(path: Path, most: int = MOST_BYTES) -> dict[str, Any]:
    """With or without a byte order mark; of `most` bytes. Raises Unreadable, OSError."""
    found: dict[str, Any] = _plain(path, _parse_toml, most)
    return found


def read_yaml(path: Path) -> Any:
    """Without aliases and tags. Raises Unreadable, OSError."""
    return _plain(path, _parse_yaml)


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """A regular file's text, of `most` bytes. Raises Unreadable, OSError."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("FILE_ODD", file=path.name)
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable("FILE_HUGE", file=path.name, most=f"{most // 2**10} kB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("FILE_NOT_TEXT", file=path.name) from None


def _plain(path: Path, parse: Callable[[str], Any], most: int = MOST_BYTES) -> Any:
    text = read_text(path, most)
    try:
        found = parse(text)
        _check(found)
    except RecursionError:
        raise Unreadable("FILE_NESTED", file=path.name) from None
    except _Refused as refused:
        raise Unreadable(refused.args[0], file=path.name) from None
    except (ValueError, yaml.YAMLError) as error:
        detail = " ".join(str(error).split())[:200]
        raise Unreadable("FILE_SYNTAX", file=path.name, detail=detail) from None
    return found


class _Refused(Exception):
    """The code that says why."""


def _check(value: Any) -> None:
    level, nodes = [value], 0
    for _ in range(_DEEPEST):
        nodes += len(level)
        if nodes > _MOST_NODES:
            raise _Refused("FILE_CROWDED")
        if not all(map(_usable, level)):
            raise _Refused("FILE_BAD_VALUE")
        level = [inner for each in level for inner in _children(each)]
        if not level:
            return
    raise _Refused("FILE_NESTED")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _usable(value: Any) -> bool:
    """Neither NUL, which no path may hold, nor halves of characters and endless numbers, which nothing can write."""
    if isinstance(value, str):
        return _UNUSABLE.search(value) is None
    return not isinstance(value, int) or value.bit_length() < 64


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Numbers as FunASR reads them: 1e-5 is one, and 2001-01-01 is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _parse_toml(text: str) -> dict[str, Any]:
    """The parser takes the square of the parts of a dotted key, in memory too."""
    if _DOTTED.search(text):
        raise _Refused("FILE_NESTED")
    return parse_toml(text)


def _parse_yaml(text: str) -> Any:
    """Looked through first: what is built afterwards can be no larger than what was looked at."""
    depth = 0
    for nodes, event in enumerate(yaml.parse(text, _Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("FILE_ALIASES")
        if depth > _DEEPEST:
            raise _Refused("FILE_NESTED")
        if nodes > _MOST_NODES:
            raise _Refused("FILE_CROWDED")
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and len(event.value) > _LONGEST:
            raise _Refused("FILE_CROWDED")
    return yaml.load(text, _Loader)
