"""Building a FunASR model from its folder: no download, no code from the folder, peak memory near the weights.

FunASR's own loader copies the weights three times, and where a key is missing or has another shape it prints a line
and goes on with random numbers. Here the file is mapped into memory, its tensors take the place of the parameters,
and what does not fit is an error that names file and key.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from webui.devices import load_torch
from webui.engines import model_folders
from webui.engines.base import EngineError
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.import_guard import import_guarded, load_tables, no_code_of_folders, unread
from webui.errors import Notice, UserError

log = logging.getLogger(__name__)

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_COUNTERS = "num_batches_tracked"  # of training; older files lack them
_BY_TRANSFORMERS = {"FunASRNano", "HuggingfaceTokenizer", "QFormer"}
_NOT_FOR_CONSTRUCTORS = ("init_param", "device", "output_dir")


@dataclass(frozen=True)
class Built:
    """A model ready to compute. `lacking`: prefixes of weights that this release does not have."""

    model: Any
    tokenizer: Any
    frontend: Any
    config: Mapping[str, Any]
    device: str
    lacking: tuple[str, ...] = ()


class LoadedModel:
    """Holds a model until it is closed. FunASR's models keep state between steps: `_lock` is for one call."""

    def __init__(self, built: Built) -> None:
        self._built: Built | None = built
        self._lock = threading.Lock()

    @property
    def built(self) -> Built:
        if self._built is None:
            raise EngineError("ENGINE_FAILED", "the model was unloaded")
        return self._built

    def close(self) -> None:
        """Let the model go; who computes with it keeps it until then."""
        self._built = None


def build(folder: Folder, device: str, without: Iterable[str] = ()) -> Built:
    """The model of `folder` on `device`, in evaluation mode.

    `without`: submodules that are left out, because something else computes them. Raises UserError (MODEL_BROKEN).
    """
    if folder.problem is not None:
        raise folder.problem.as_error()
    torch = load_torch()
    load_tables(_names(folder))
    found = read_weights(folder)
    with import_guarded(torch), _uninitialised(torch):
        built = construct(_as_saved(folder, found))
    for name in without:
        parent, _, child = name.rpartition(".")
        setattr(built.model.get_submodule(parent), child, torch.nn.Identity())
    lacking = _fill(torch, built.model, folder, found, tuple(f"{name}." for name in without))
    built.model.to(device).eval()
    return replace(built, device=device, lacking=lacking)


def construct(folder: Folder) -> Built:
    """The model that the folder's configuration describes, before its weights are read. Raises UserError."""
    names = _names(folder)
    for name in unread(names):
        raise broken(folder, "CLASS_UNSUPPORTED", name=name)
    tables = load_tables(names)
    config = _constructor_config(folder)
    # transformers reads a part of some folders; it is not imported for the others.
    with no_code_of_folders() if names & _BY_TRANSFORMERS else contextlib.nullcontext():
        tokenizer = _tokenizer(tables, folder, config)
        frontend = _frontend(tables, folder, config)
        model_class = _class(tables.model_classes, folder, folder.class_name)
        # FunASR's constructors expect the keys of `model_conf`, overridden by the whole configuration.
        model = model_class(**{**(config.get("model_conf") or {}), **config})
    return Built(model, tokenizer, frontend, config, "cpu")


def _names(folder: Folder) -> set[str]:
    """What of FunASR's registry the folder names, and some words more."""
    return {folder.class_name, *_words(folder.config)}


def _words(value: Any) -> Iterator[str]:
    """The texts in a configuration."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _words(one)


def read_weights(folder: Folder) -> dict[str, Any]:
    """The tensors of the folder's weights file, mapped, not read. Raises UserError (MODEL_BROKEN)."""
    torch = load_torch()
    try:
        mapped = zipfile.is_zipfile(folder.weights)
        state = torch.load(folder.weights, map_location="cpu", weights_only=True, mmap=mapped)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        log.warning("%s cannot be loaded: %s", folder.weights.name, error)
        raise broken(folder, "FILE_DAMAGED", file=folder.weights.name) from error
    while isinstance(state, dict):
        inner = next((state[key] for key in _WRAPPERS if isinstance(state.get(key), dict)), None)
        if inner is None:
            break
        state = inner
    if not isinstance(state, dict) or not state:
        raise broken(folder, "FILE_DAMAGED", file=folder.weights.name)
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def broken(folder: Folder, reason: str, **params: Any) -> UserError:
    return model_folders.broken(folder.name, Notice(reason, params)).as_error()


def _as_saved(folder: Folder, found: Mapping[str, Any]) -> Folder:
    """Without the adapters (LoRA) that the configuration speaks of, where the weights have none: they were merged."""
    llm = folder.config.get("llm_conf")
    if not isinstance(llm, dict) or not llm.get("use_lora") or any(".lora_" in key for key in found):
        return folder
    return replace(folder, config={**folder.config, "llm_conf": {**llm, "use_lora": False}})


def _constructor_config(folder: Folder) -> dict[str, Any]:
    config = {
        key: value for key, value in copy.deepcopy(dict(folder.config)).items() if key not in _NOT_FOR_CONSTRUCTORS
    }
    config["frontend_conf"] = {**(config.get("frontend_conf") or {}), "dither": 0.0}  # FunASR's default is noise
    config["vocab_size"] = -1
    config["input_size"] = None
    return config


def _tokenizer(tables: Any, folder: Folder, config: dict[str, Any]) -> Any:
    name = config.get("tokenizer")
    if name is None:
        return None
    if not isinstance(name, str):
        raise broken(folder, "CLASS_UNKNOWN", name=str(name))
    tokenizer = _class(tables.tokenizer_classes, folder, name)(**(config.get("tokenizer_conf") or {}))
    tokens = getattr(tokenizer, "token_list", None)
    if hasattr(tokenizer, "get_vocab"):
        tokens = tokenizer.get_vocab()
    config["token_list"] = tokens
    if tokens is not None:
        config["vocab_size"] = len(tokens)
    elif hasattr(tokenizer, "get_vocab_size"):
        config["vocab_size"] = tokenizer.get_vocab_size()
    config["tokenizer"] = tokenizer
    return tokenizer


def _frontend(tables: Any, folder: Folder, config: dict[str, Any]) -> Any:
    name = config.get("frontend")
    if name is None:
        return None
    frontend = _class(tables.frontend_classes, folder, name)(**config["frontend_conf"])
    config["frontend"] = frontend
    config["input_size"] = frontend.output_size() if hasattr(frontend, "output_size") else None
    return frontend


def _class(registry: Any, folder: Folder, name: str) -> Any:
    found = registry.get(name)
    if found is None:
        raise broken(folder, "CLASS_UNKNOWN", name=name)
    return found


def _uninitialised(torch: ModuleType) -> Any:
    """Parameters are allocated but not filled with random numbers, in this thread: the file replaces them."""
    from torch.overrides import TorchFunctionMode

    fillers = {
        getattr(torch.Tensor, name)
        for name in ("normal_", "uniform_", "trunc_normal_", "zero_", "fill_", "bernoulli_", "xavier_uniform_")
        if hasattr(torch.Tensor, name)
    }

    class Uninitialised(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function in fillers and isinstance(args[0], torch.nn.Parameter):
                return args[0]
            return function(*args, **(kwargs or {}))

    return Uninitialised()


def _fill(
    torch: ModuleType, model: Any, folder: Folder, weights: Mapping[str, Any], left_out: tuple[str, ...]
) -> tuple[str, ...]:
    """Put the weights into the model; returns the optional groups that the file lacks."""
    found = {key: value for key, value in weights.items() if not key.startswith(left_out or ("\0",))}
    expected = {key: value for key, value in model.state_dict().items() if not key.endswith(_COUNTERS)}
    found |= _tied(expected, found)
    missing = [key for key in expected if key not in found]
    lacking = tuple(prefix for prefix in folder.family.optional if any(key.startswith(prefix) for key in missing))
    missing = [key for key in missing if not key.startswith(lacking or ("\0",))]
    if missing:
        raise broken(folder, "KEYS_MISSING", file=folder.weights.name, key=missing[0], count=len(missing))
    for key, value in expected.items():
        if key in found and found[key].shape != value.shape:
            shapes = {"found": list(found[key].shape), "expected": list(value.shape)}
            raise broken(folder, "SHAPE_WRONG", file=folder.weights.name, key=key, **shapes)
    unknown = [key for key in found if key not in expected]
    if unknown:
        log.info("%s: %d further tensors in %s are not used", folder.name, len(unknown), folder.weights.name)
    usable = {key: found[key] for key in expected if key in found and not key.startswith(lacking or ("\0",))}
    with torch.no_grad():
        _assign(model, usable)
    return lacking


def _tied(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that the file lacks because the model has them twice: the output layer that is the embedding."""
    places = {value.data_ptr(): key for key, value in expected.items() if key in found and value.numel()}
    lacking = {key: value.data_ptr() for key, value in expected.items() if key not in found}
    return {key: found[places[place]] for key, place in lacking.items() if place in places}


def _assign(model: Any, state: Mapping[str, Any]) -> None:
    """load_state_dict(assign=True), with each tensor in the precision that the model was built in."""
    dtypes = {name: parameter.dtype for name, parameter in model.state_dict().items()}
    converted = {
        key: value if value.dtype == dtypes[key] or not value.is_floating_point() else value.to(dtypes[key])
        for key, value in state.items()
    }
    model.load_state_dict(converted, strict=False, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
