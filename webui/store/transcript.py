"""Segments' texts put together into one."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Between these no space is written: CJK characters and full-width punctuation.
_NO_SPACE = re.compile("[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")


def assemble(pieces: Iterable[tuple[int, str]]) -> str:
    """Join (channel, text) pairs in their order: a new line where the channel changes, a space between words of
    languages that write one, nothing next to a Chinese character."""
    parts: list[str] = []
    last_channel: int | None = None
    for channel, text in pieces:
        if not (text := text.strip()):
            continue
        if parts:
            parts.append(_glue(parts[-1][-1], text[0], same_channel=channel == last_channel))
        parts.append(text)
        last_channel = channel
    return "".join(parts)


def _glue(before: str, after: str, *, same_channel: bool) -> str:
    if not same_channel:
        return "\n"
    return "" if _NO_SPACE.match(before) or _NO_SPACE.match(after) else " "
