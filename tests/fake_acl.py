"""A stand-in for pyACL: `.om` files are ONNX files that ONNX Runtime computes; device memory is a dictionary."""

from __future__ import annotations

import ctypes
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime


class FakeAcl:
    def __init__(self, fail: dict[str, int] | None = None) -> None:
        self.fail = fail or {}  # call → code
        self.memory: dict[int, bytearray] = {}
        self.calls: list[str] = []
        self._numbers = count(1)
        self._objects: dict[int, Any] = {}
        self.rt = SimpleNamespace(set_device=self._set_device, malloc=self._malloc, free=self._free, memcpy=self._copy)
        self.util = SimpleNamespace(bytes_to_ptr=lambda data: ctypes.cast(data, ctypes.c_void_p).value)
        self.mdl = SimpleNamespace(
            load_from_file=self._load,
            create_desc=lambda: next(self._numbers),
            get_desc=self._describe,
            get_input_size_by_index=lambda desc, at: 4 * int(np.prod(self._objects[desc].get_inputs()[at].shape)),
            get_output_size_by_index=lambda desc, at: 4 * int(np.prod(self._objects[desc].get_outputs()[at].shape)),
            get_output_dims=lambda desc, at: ({"dims": self._objects[desc].get_outputs()[at].shape}, 0),
            create_dataset=list,
            add_dataset_buffer=lambda dataset, buffer: (dataset, dataset.append(buffer) or 0),
            destroy_dataset=lambda _dataset: 0,
            execute=self._execute,
            unload=lambda _model: self._note("unload"),
            destroy_desc=lambda _description: 0,
        )

    def init(self) -> int:
        return self._note("init")

    def create_data_buffer(self, pointer: int, size: int) -> tuple[int, int]:
        return pointer, size

    def destroy_data_buffer(self, _buffer: object) -> int:
        return 0

    def _note(self, call: str) -> int:
        self.calls.append(call)
        return self.fail.get(call, 0)

    def _set_device(self, _card: int) -> int:
        return self._note("set_device")

    def _load(self, file: str) -> tuple[int, int]:
        number = next(self._numbers)
        self._objects[number] = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return number, self._note("load_from_file")

    def _describe(self, description: int, model: int) -> int:
        self._objects[description] = self._objects[model]
        return 0

    def _malloc(self, size: int, _policy: int) -> tuple[int, int]:
        if code := self._note("malloc"):
            return 0, code
        pointer = next(self._numbers)
        self.memory[pointer] = bytearray(size)
        return pointer, 0

    def _free(self, pointer: int) -> int:
        del self.memory[pointer]
        return 0

    def _copy(self, target: int, most: int, source: int, size: int, kind: int) -> int:
        assert size <= most
        if kind == 1:
            self.memory[target][:] = ctypes.string_at(source, size)
        else:
            ctypes.memmove(target, bytes(self.memory[source]), size)
        return self._note("memcpy")

    def _execute(self, model: int, given: list[tuple[int, int]], found: list[tuple[int, int]]) -> int:
        session = self._objects[model]
        feeds = {
            one.name: np.frombuffer(self.memory[pointer], np.float32).reshape(one.shape)
            for one, (pointer, _size) in zip(session.get_inputs(), given, strict=True)
        }
        for output, (pointer, _size) in zip(session.run(None, feeds), found, strict=True):
            self.memory[pointer][:] = output.astype(np.float32).tobytes()
        return self._note("execute")
