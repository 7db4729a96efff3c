"""One way to compute with an exported file, whatever computes: `run(feeds) -> outputs`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from webui.disk import sha256
from webui.engines.funasr.onnx.fixed_length import Features, choose, padded, repeated
from webui.engines.funasr.onnx.fixed_length_manifest import Bucket, Manifest
from webui.errors import UserError

log = logging.getLogger(__name__)

CANN = "CANNExecutionProvider"
Arrays = Mapping[str, NDArray[Any]]


class EncoderSession(Protocol):
    provider: str

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs by name."""
        ...


class OrtSession:
    """ONNX Runtime; `provider` is the one that really computes, which need not be the one asked for."""

    def __init__(self, file: Path, provider: str = "CPUExecutionProvider") -> None:
        import onnxruntime

        offered = onnxruntime.get_available_providers()
        wanted = [name for name in (provider, "CPUExecutionProvider") if name in offered]
        self._session = onnxruntime.InferenceSession(str(file), providers=list(dict.fromkeys(wanted)))
        self.provider: str = self._session.get_providers()[0]
        if self.provider != provider:
            log.warning("%s: %s is not active, %s computes", file.name, provider, self.provider)

    def run(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, dict(feeds)), strict=True))


class OfflineEncoder:
    """An exported encoder: takes features of any length up to its longest bucket, and gives what belongs to them."""

    def __init__(self, folder: Path, provider: str = "CPUExecutionProvider") -> None:
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
            self._sessions[frames] = OrtSession(self._folder / self._buckets[frames].file, self._provider)
        return self._sessions[frames]


def _is_intact(file: Path, bucket: Bucket) -> bool:
    with suppress(OSError):
        return sha256(file) == bucket.sha256
    return False
