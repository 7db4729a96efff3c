"""Importing FunASR: only what a model names, and the same classes as by importing all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

LOADED = """
import json, logging, sys
from pathlib import Path
from webui.engines import funasr
from webui.settings import Settings
for model in funasr.models(Settings(models=Path(sys.argv[1]))):
    if model.name == sys.argv[2]:
        model.load('cpu')
heavy = [name for name in ('sklearn', 'transformers', 'torch.distributed.fsdp', 'fastapi') if name in sys.modules]
print(json.dumps([heavy, sum(name.startswith('funasr.models.') for name in sys.modules)]))
"""

INDEXED = """
import contextlib, io, json
from webui.engines.funasr import import_guard
tables = import_guard.load_tables(())
with contextlib.redirect_stdout(io.StringIO()):
    __import__('funasr').import_submodules('funasr')
tables = vars(type(tables))
index = import_guard._index()
registered = {name: one.__module__ for kind, classes in tables.items() if kind.endswith('_classes')
              for name, one in classes.items()}
print(json.dumps([registered, {name: sorted(modules) for name, modules in index.items()}]))
"""

TABLES = """
import json, sys
from webui.engines.funasr.import_guard import load_tables
walk = __import__('pkgutil').walk_packages
few = sorted(load_tables({'SenseVoiceSmall', 'nobody'}).model_classes)
assert __import__('pkgutil').walk_packages is walk
print(json.dumps([few, sorted(load_tables({'SenseVoiceSmall', 'BAT', 'GLMASR', 'LLMASR'}).model_classes)]))
"""


def test_a_model_imports_what_it_needs(model_folders: Path, in_child: Callable[..., str]) -> None:
    heavy, modules = json.loads(in_child(LOADED, model_folders, "sensevoice"))
    assert heavy == [] and modules < 40  # of some 400


def test_the_files_text_tells_where_each_class_is(in_child: Callable[..., str]) -> None:
    registered, index = json.loads(in_child(INDEXED))
    assert len(registered) > 100
    assert set(registered) - set(index) == {"OpenMOSS-Team/MOSS-Transcribe-Diarize"}  # a name that is no literal
    elsewhere = {name: module for name, module in registered.items() if module not in index.get(name, [module])}
    assert elsewhere == {}


def test_more_can_be_had_later_but_no_class_that_was_not_read(in_child: Callable[..., str]) -> None:
    few, more = json.loads(in_child(TABLES))
    assert few == ["SenseVoiceSmall"] and {"BAT", "SenseVoiceSmall"} <= set(more)
    assert not {"GLMASR", "LLMASR"} & set(more)
