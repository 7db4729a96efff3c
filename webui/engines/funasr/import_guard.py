"""The guard around importing the FunASR package: imported once, without what it does to the rest of the process.

Importing funasr prints to the standard output, configures the root logger and looks for torchaudio, whose wheel
fails beside a CPU-only torch with an OSError that unregisters every model. It also imports all of its 430 files to
fill its registry of classes: 5 s and 300 MB, most of it training, scikit-learn and transformers. Which file registers
which class stands in their text, so only those that a model names are imported, and of these only files that were
read: they compute, and neither fetch anything nor run code of a folder. Building a model may draw from the global
random generators and set the number of threads. None of it is left behind.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import logging
import os
import pkgutil
import random
import re
import sys
import threading
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from webui.devices import load_torch
from webui.errors import UserError

log = logging.getLogger(__name__)

_importing = threading.Lock()
_loading = threading.RLock()
# Packages of FunASR whose classes may be built. Others ask hubs, run a folder's code, compile or call programs.
_READ = (
    "frontends.default", "frontends.wav_frontend", "tokenizer", "models.bat", "models.bicif_paraformer",
    "models.branchformer", "models.campplus", "models.conformer", "models.contextual_paraformer",
    "models.ct_transformer", "models.ct_transformer_streaming", "models.ctc", "models.e_branchformer",
    "models.e_paraformer", "models.fsmn_kws.encoder", "models.fsmn_vad_streaming", "models.fun_asr_nano",
    "models.lcbnet", "models.llm_asr.adaptor", "models.normalize", "models.paraformer", "models.paraformer_streaming",
    "models.paraformer_v2_community", "models.sa_asr", "models.sanm", "models.scama", "models.seaco_paraformer",
    "models.sense_voice", "models.specaug", "models.transducer", "models.transformer", "models.uniasr",
)  # fmt: skip
_REGISTERS = re.compile(r"""^@tables\.register\(\s*["']\w+["'],\s*["']([^"']+)["']""", re.M)


def load_tables(names: Collection[str]) -> Any:
    """FunASR's registry with the classes of these names in it, as far as there are such that were read.

    Raises UserError (TORCH_…) or ImportError.
    """
    torch = load_torch()
    with _importing, import_guarded(torch), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about optional packages of its dependencies
        sys.modules.setdefault("torchaudio", None)  # type: ignore[arg-type]  # FunASR falls back to kaldi-native-fbank
        sys.modules.setdefault("modelscope", None)  # type: ignore[arg-type]  # asks its hub, whatever is set
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
        with _not_walked():
            import funasr
        for module in _registering(names):
            _import(module)
        from funasr.register import tables
    logging.getLogger("jieba").setLevel(logging.WARNING)  # it has a handler of its own on the standard error
    for name, error in funasr.get_import_errors().items():
        log.debug("funasr could not import %s: %s", name, error)
    return tables


@contextlib.contextmanager
def _not_walked() -> Iterator[None]:
    """Importing funasr does not import what lies in it."""
    walk = pkgutil.walk_packages

    def others(path: Any = None, prefix: str = "", onerror: Any = None) -> Iterator[pkgutil.ModuleInfo]:
        return iter(()) if prefix == "funasr." else walk(path, prefix, onerror)

    pkgutil.walk_packages = others
    try:
        yield
    finally:
        pkgutil.walk_packages = walk


def _registering(names: Collection[str]) -> list[str]:
    """The modules, of those that were read, that register a class under one of `names`, whatever for."""
    index = _index()
    return sorted({module for name in names for module in index.get(name, ()) if _was_read(module)})


def unread(names: Collection[str]) -> list[str]:
    """Those of `names` that only classes stand for which were not read; training's, which nothing builds, are none."""
    index = _index()
    found = {name: modules for name in names if (modules := index.get(name))}
    return sorted(name for name, modules in found.items() if not any(map(_was_read, modules)) and _built(modules))


def _built(modules: Collection[str]) -> bool:
    return any(not module.startswith("funasr.datasets.") for module in modules)


def _was_read(module: str) -> bool:
    return any(f"{module}.".startswith(f"funasr.{package}.") for package in _READ)


@functools.cache
def _index() -> dict[str, set[str]]:
    """Name of a class in FunASR's registry → modules, by the text of its files; a tenth of a second."""
    import funasr

    index: dict[str, set[str]] = {}
    root = Path(funasr.__file__).parent
    for file in root.rglob("*.py"):
        module = ".".join(("funasr", *file.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for name in _REGISTERS.findall(file.read_text("utf-8", errors="replace")):
            index.setdefault(name, set()).add(module)
    return index


def _import(module: str) -> None:
    """Does without a module that cannot be imported, as FunASR does: another may register what is needed."""
    try:
        importlib.import_module(module)
    except Exception as error:
        log.info("%s cannot be imported: %s", module, error)


@contextlib.contextmanager
def no_code_of_folders() -> Iterator[None]:
    """transformers loads no Python file of a folder meanwhile, whoever allows it to, and asks nobody."""
    from transformers import dynamic_module_utils as dynamic

    def refuse(class_name: str, *_arguments: Any, **_options: Any) -> None:
        raise UserError("CLASS_UNSUPPORTED", name=class_name)

    kept = {"get_cached_module_file": refuse, "get_class_in_module": refuse, "TIME_OUT_REMOTE_CODE": 0}
    with _loading:
        before = {name: getattr(dynamic, name) for name in kept}
        vars(dynamic).update(kept)
        try:
            yield
        finally:
            vars(dynamic).update(before)


@contextlib.contextmanager
def import_guarded(torch: ModuleType) -> Iterator[None]:
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
