"""SSML tags, which no engine follows: left out, so that nobody hears them read. `<break>` is a pause."""

from __future__ import annotations

import re

_NAMES = frozenset(
    "audio desc emphasis lang lexicon lookup mark meta metadata p phoneme prosody s say-as speak sub voice".split()
)
_VENDORS = ("mstts:", "amazon:", "google:")
# Bounded, so that a text full of open brackets is still read in linear time.
_TAG = re.compile(
    r"[<＜](?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9:-]{0,30})(?P<attributes>(?:[\s/][^<>＜＞]{0,500})?)[>＞]"
    r"|<!--[^<>]{0,500}-->|<\?xml[^<>]{0,200}\?>"
)


def without_tags(text: str) -> str:
    """`text` without SSML's tags but `<break>`; a paragraph or sentence of SSML ends its line."""
    return _TAG.sub(lambda tag: tag[0] if not _is_ssml(tag) else "\n" if tag["name"] in ("p", "s") else "", text)


def tags(text: str) -> list[str]:
    """The names of the tags that `without_tags` leaves out, each once, in order."""
    names = (tag["name"] for tag in _TAG.finditer(text) if tag["name"] and _is_ssml(tag))
    return list(dict.fromkeys(name for name in names if name != "break"))


def _is_ssml(tag: re.Match[str]) -> bool:
    """Whether it is to be left out. "a<p and q>b" has no attributes and is no tag."""
    name, attributes = tag["name"], tag["attributes"]
    if name is None:
        return True
    if name == "break":
        return bool(tag["end"])
    return (name in _NAMES or name.startswith(_VENDORS)) and ("=" in attributes or not attributes.strip(" \t\r\n/"))
