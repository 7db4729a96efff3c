"""One way to compute with an exported file, whatever computes: `run(feeds) -> outputs`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from webui.devices import load_torch
from webui.disk import sha256
from webui.engines.funasr.onnx.fixed_length import Features, choose, padded, repeated
from webui.engines.funasr.onnx.fixed_length_manifest import Bucket, Manifest
from webui.errors import UserError
from webui.onnx_session import CPU, Arrays, OnnxSession

CANN = "CANNExecutionProvider"


class EncoderSession(Protocol):
    provider: str

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs by name."""
        ...


class OfflineEncoder:
    """An exported encoder: takes features of any length up to its longest bucket, and gives what belongs to them."""

    def __init__(self, folder: Path, provider: str = CPU) -> None:
        """Raises UserError MODEL_BROKEN for files that are not those of the manifest."""
        self._folder = folder
        self._provider = provider
        self.manifest = Manifest.read(folder)
        self._buckets = {bucket.frames: bucket for bucket in self.manifest.buckets}
        self._sessions: dict[int, EncoderSession] = {}
        for bucket in self.manifest.buckets:
            if not _is_intact(folder / bucket.file, bucket):
                raise UserError("MODEL_BROKEN", model=self.manifest.model, reason=bucket.file)

    def run(self, features: Features) -> dict[str, NDArray[Any]]:
        """(frames, dimensions) → outputs, cut to the frames given where they have frames. Raises EngineError."""
        frames = choose(len(features), list(self._buckets))
        if not self.manifest.masked:
            return self._session(frames).run({"speech": repeated(features, frames)})
        speech, mask = padded(features, frames)
        outputs = self._session(frames).run({"speech": speech, "mask": mask})
        return {name: value[:, : len(features)] for name, value in outputs.items()}

    def _session(self, frames: int) -> EncoderSession:
        if frames not in self._sessions:
            self._sessions[frames] = OnnxSession(
                self._folder / self._buckets[frames].file, load_torch().get_num_threads(), self._provider
            )
        return self._sessions[frames]


def _is_intact(file: Path, bucket: Bucket) -> bool:
    with suppress(OSError):
        return sha256(file) == bucket.sha256
    return False
