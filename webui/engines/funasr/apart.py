"""Optimising in a process of its own: exporting takes twice the weights and a minute, beside a running server."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.errors import UserError

if TYPE_CHECKING:
    from webui.settings import Settings

_NICE = 10  # behind what people wait for


def optimise_apart(name: str, settings: Settings) -> None:
    """What `funasr.optimise` does, in a child process that ends with this one. Raises what it raises, ENGINE_FAILED."""
    here, there = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    folders = {"data": settings.data, "models": settings.models, "model_path": settings.model_path}
    child = context.Process(target=_optimise, args=(there, name, folders), name=f"optimise {name}", daemon=True)
    child.start()
    there.close()
    try:
        error = here.recv()
    except EOFError:
        error = {"code": "ENGINE_FAILED", "params": {}}
    finally:
        child.join()
        here.close()
    if error is not None:
        raise UserError(error["code"], **error["params"])


def _optimise(answer: Connection, name: str, folders: dict[str, Path | None]) -> None:
    """The child's part: sends None, or the stored error."""
    from webui.engines import funasr
    from webui.settings import Settings

    os.nice(_NICE)
    given: dict[str, Any] = dict(folders)
    error = None
    try:
        funasr.optimise(name, Settings(**given))
    except UserError as refused:
        error = refused.stored()
    answer.send(error)
