"""Optimising in a subprocess: it takes twice the weights and a minute or more, beside a running server."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from webui.errors import Notice, UserError

if TYPE_CHECKING:
    from webui.settings import Settings

    Work = Callable[[str, Settings], object]

_NICE = 10  # behind what people wait for


def optimise_in_subprocess(optimise: Work, name: str, settings: Settings) -> None:
    """`optimise(name, settings)`, a module's function, in a child process that ends with this one.

    Raises the UserError that it raises, ENGINE_FAILED.
    """
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    given = (there, optimise, name, settings.model_dump())
    child = context.Process(target=_work, args=given, name=f"optimise {name}", daemon=True)
    child.start()
    there.close()
    try:
        error = here.recv()
    except EOFError:
        error = Notice("ENGINE_FAILED")
    finally:
        child.join()
        here.close()
    if error is not None:
        raise error.as_error()


def _work(answer: Connection, optimise: Work, name: str, given: dict[str, Any]) -> None:
    """The child's part: sends None, or why it failed."""
    from webui.settings import Settings

    os.nice(_NICE)
    error = None
    try:
        optimise(name, Settings(**given))
    except UserError as refused:
        error = refused.notice
    answer.send(error)
