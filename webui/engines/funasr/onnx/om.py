"""EXPERIMENTAL: Ascend models (.om) through pyACL. Tested against a stand-in for `acl` only, never on a card."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.engines.base import EngineError
from webui.onnx_session import Arrays

_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2  # aclrtMemcpyKind
_HUGE_FIRST = 0  # aclrtMemMallocPolicy


class OmSession:
    """One model of fixed shapes, loaded on a card. `inputs` and `outputs`: names in the file's order; all float32."""

    provider = "ACL"

    def __init__(self, file: Path, inputs: list[str], outputs: list[str], card: int = 0) -> None:
        """Raises EngineError where pyACL is missing or refuses."""
        try:
            self._acl = importlib.import_module("acl")
        except ImportError:
            raise EngineError("ENGINE_FAILED", "pyACL is missing: source CANN's set_env.sh") from None
        self._inputs, self._outputs, self._card = inputs, outputs, card
        _check("init", self._acl.init(), allowed=(0, 100002))  # 100002: was called before
        _check("set_device", self._acl.rt.set_device(card))
        self._model = _checked("load_from_file", self._acl.mdl.load_from_file(str(file)))
        self._description = self._acl.mdl.create_desc()
        _check("get_desc", self._acl.mdl.get_desc(self._description, self._model))

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs by name. Raises EngineError for a wrong size, and where the card fails."""
        mdl = self._acl.mdl
        _check("set_device", self._acl.rt.set_device(self._card))  # the current card belongs to the thread
        sizes = [mdl.get_input_size_by_index(self._description, at) for at in range(len(self._inputs))]
        arrays = [np.ascontiguousarray(feeds[name], np.float32) for name in self._inputs]
        for name, array, size in zip(self._inputs, arrays, sizes, strict=True):
            if array.nbytes != size:
                raise EngineError("ENGINE_FAILED", f"{name} has {array.nbytes} bytes, the model wants {size}")
        made = [mdl.get_output_size_by_index(self._description, at) for at in range(len(self._outputs))]
        with self._buffers(sizes) as (given, sources), self._buffers(made) as (found, targets):
            for array, pointer in zip(arrays, sources, strict=True):
                content = array.tobytes()  # named, for its address is of use only while it lives
                host = self._acl.util.bytes_to_ptr(content)
                copied = self._acl.rt.memcpy(pointer, array.nbytes, host, len(content), _HOST_TO_DEVICE)
                _check("memcpy", copied)
            _check("execute", mdl.execute(self._model, given, found))
            return {name: self._fetched(at, targets[at], made[at]) for at, name in enumerate(self._outputs)}

    def close(self) -> None:
        self._acl.mdl.unload(self._model)
        self._acl.mdl.destroy_desc(self._description)

    def _fetched(self, at: int, pointer: int, size: int) -> NDArray[np.float32]:
        host = bytes(size)
        _check("memcpy", self._acl.rt.memcpy(self._acl.util.bytes_to_ptr(host), size, pointer, size, _DEVICE_TO_HOST))
        shape = _checked("get_output_dims", self._acl.mdl.get_output_dims(self._description, at))["dims"]
        return np.frombuffer(host, np.float32).reshape(shape).copy()

    @contextmanager
    def _buffers(self, sizes: list[int]) -> Iterator[tuple[Any, list[int]]]:
        """A data set of device buffers and their addresses; freed whatever happens."""
        acl = self._acl
        dataset, pointers, buffers = acl.mdl.create_dataset(), [], []
        try:
            for size in sizes:
                pointers.append(_checked("malloc", acl.rt.malloc(size, _HUGE_FIRST)))
                buffers.append(acl.create_data_buffer(pointers[-1], size))
                _checked("add_dataset_buffer", acl.mdl.add_dataset_buffer(dataset, buffers[-1]))
            yield dataset, pointers
        finally:
            for buffer in buffers:
                acl.destroy_data_buffer(buffer)
            for pointer in pointers:
                acl.rt.free(pointer)
            acl.mdl.destroy_dataset(dataset)


def _checked(call: str, answer: tuple[Any, int]) -> Any:
    """The value of pyACL's (value, code)."""
    value, code = answer
    _check(call, code)
    return value


def _check(call: str, code: int, allowed: tuple[int, ...] = (0,)) -> None:
    if code not in allowed:
        raise EngineError("ENGINE_FAILED", f"acl {call}: {code}")
