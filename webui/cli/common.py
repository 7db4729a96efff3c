"""What the commands share: the settings of this call, and errors that are one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import typer

from webui.errors import UserError
from webui.settings import Settings, load, terminal_locale

DONE, FAILED, WRONG_USAGE, PARTLY_DONE = 0, 1, 2, 3

# What the caller asked for does not exist or does not fit: their command is wrong, not our work.
_USAGE_CODES = frozenset(
    "MODEL_NOT_FOUND MODEL_WRONG_KIND DEVICE_UNAVAILABLE VOICE_NOT_FOUND CONSENT_REQUIRED INVALID_FIELD "
    "LANGUAGE_UNSUPPORTED NOT_CAPABLE".split()
)


class WrongUsage(Exception):
    """The command cannot be carried out as written; the message is one sentence. Exit code 2."""


class Failed(Exception):
    """The command was carried out and failed; the message is one sentence. Exit code 1."""


def settings_of(context: typer.Context, **options: Any) -> Settings:
    """The settings of this call: the common options, then those of the command. Raises BadSettings."""
    given = {**context.find_root().obj, **options}
    return load(given.pop("config"), **given)


@contextmanager
def umask(mask: int) -> Iterator[int]:
    """Of the whole process meanwhile; gives the one before."""
    before = os.umask(mask)
    try:
        yield before
    finally:
        os.umask(before)


def private_files() -> AbstractContextManager[int]:
    """Recordings and transcripts are written meanwhile: for this user alone to read. Gives the user's own umask."""
    return umask(0o077)


def sentence(error: UserError) -> str:
    """Message and cure in the words of the terminal's locale."""
    worded = error.notice.worded(terminal_locale())
    return " ".join(part for part in (worded.message, worded.hint) if part)


def exit_code(error: UserError) -> int:
    return WRONG_USAGE if error.code in _USAGE_CODES else FAILED


def complain(message: str) -> None:
    print(message, file=sys.stderr)
