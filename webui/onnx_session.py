"""ONNX files computed on the CPU: one kind of session, one policy for threads and memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

log = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
Arrays = Mapping[str, NDArray[Any]]


def load_onnxruntime() -> ModuleType:
    """onnxruntime, its telemetry off: it reads the variable when it is imported, and no later call stops it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


class OnnxSession:
    """Idle threads sleep, and no memory is kept for the longest input there was."""

    def __init__(self, file: Path, threads: int, provider: str = CPU) -> None:
        """`provider`: asked for; where it is not active the CPU computes. Raises the library's errors, which share no
        class, for a file that is no model."""
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # the arena keeps the memory of the longest input for good
        options.log_severity_level = 3
        offered = onnxruntime.get_available_providers()
        wanted = [name for name in dict.fromkeys((provider, CPU)) if name in offered]
        self._session = onnxruntime.InferenceSession(str(file), options, providers=wanted)
        self.provider: str = self._session.get_providers()[0]
        if self.provider != provider:
            log.warning("%s: %s is not active, %s computes", file.name, provider, self.provider)

    @property
    def inputs(self) -> list[str]:
        """Their names, in the file's order."""
        return [one.name for one in self._session.get_inputs()]

    def run(self, feeds: Arrays, outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """The outputs by name, `outputs` or all of them in the file's order. One call at a time."""
        names = list(outputs or (one.name for one in self._session.get_outputs()))
        return dict(zip(names, self._session.run(names, dict(feeds)), strict=True))
