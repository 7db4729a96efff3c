"""The fence around the FunASR package: imported once, without what it does to the rest of the process.

Importing funasr prints to the standard output, configures the root logger and looks for torchaudio, whose wheel
fails beside a CPU-only torch with an OSError that unregisters every model. Building a model may draw from the
global random generators and set the number of threads. None of it is left behind.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from webui.devices import load_torch

log = logging.getLogger(__name__)

_importing = threading.Lock()


def load_tables() -> Any:
    """FunASR's registry of classes, with the package imported. Raises UserError (TORCH_…) or ImportError."""
    torch = load_torch()
    with _importing, contained(torch), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about optional packages of its dependencies
        sys.modules.setdefault("torchaudio", None)  # type: ignore[arg-type]  # FunASR falls back to kaldi-native-fbank
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
        import funasr
        from funasr.register import tables
    logging.getLogger("jieba").setLevel(logging.WARNING)  # it has a handler of its own on the standard error
    for name, error in funasr.get_import_errors().items():
        log.debug("funasr could not import %s: %s", name, error)
    return tables


@contextlib.contextmanager
def contained(torch: ModuleType) -> Iterator[None]:
    """Whatever the block does to threads, random generators, the root logger or the standard output is undone."""
    root = logging.getLogger()
    threads, level, handlers = torch.get_num_threads(), root.level, list(root.handlers)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        root.handlers[:] = handlers
        root.setLevel(level)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
