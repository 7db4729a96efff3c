"""Exporting encoders to ONNX files of fixed lengths, each compared with torch on shorter input too."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webui.devices import load_torch
from webui.disk import sha256
from webui.engines.funasr.folder import Folder, named
from webui.engines.funasr.onnx.agreement import relative_error
from webui.engines.funasr.onnx.fixed_length import BUCKETS, Features, padded, repeated
from webui.engines.funasr.onnx.fixed_length_manifest import Bucket, Manifest
from webui.errors import UserError
from webui.onnx_session import OnnxSession

if TYPE_CHECKING:
    from webui.engines.funasr.loading import Built
    from webui.settings import Settings

log = logging.getLogger(__name__)

OPSET = 13  # older CANN releases know no later one; layer normalisation is then written out
MASKED = ("sensevoice", "paraformer")
_FILLED = (1.0, 0.6)  # of a bucket, in the comparison


def export(name: str, settings: Settings, target: Path, buckets: tuple[int, ...] = BUCKETS) -> Manifest:
    """Write the encoder of the model `name` into `target`, a file a bucket, and the manifest.

    Raises UserError (MODEL_NOT_FOUND, MODEL_BROKEN, NOT_CAPABLE for models that are no such encoder).
    """
    from webui.engines.funasr.loading import build

    folder = named(name, settings)
    family = _family(folder)
    target.mkdir(parents=True, exist_ok=True)
    built = build(folder, "cpu")
    module, size = _module(family, built)
    written = [_bucket(module, frames, size, family in MASKED, target) for frames in sorted(buckets)]
    manifest = Manifest(name, family, folder.revision, family in MASKED, written)
    manifest.write(target)
    log.info("exported %s: %s", name, {bucket.frames: bucket.error for bucket in written})
    return manifest


def _family(folder: Folder) -> str:
    kind = "speaker" if folder.family.role == "speaker" else folder.family.kind
    if kind not in (*MASKED, "speaker"):
        raise UserError("NOT_CAPABLE", model=folder.name, feature="export-onnx")
    return kind


def _module(family: str, built: Built) -> tuple[Any, int]:
    """The encoder and the dimensions of its input."""
    if family == "speaker":
        return built.model.eval(), int(built.config.get("model_conf", {}).get("feat_dim", 80))
    head = built.model.ctc.ctc_lo if family == "sensevoice" else None
    return _masked_encoder(built.model.encoder, head), int(built.config["input_size"])


def _masked_encoder(encoder: Any, head: Any) -> Any:
    torch = load_torch()

    class MaskedEncoder(torch.nn.Module):  # type: ignore[name-defined]
        """A SANM encoder as FunASR computes it, of a length that is known, with the mask as an input."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = encoder, head

        def forward(self, speech: Any, mask: Any) -> Any:
            hidden = encoder.embed(speech * encoder.output_size() ** 0.5)
            for layer in [*encoder.encoders0, *encoder.encoders]:
                hidden = layer(hidden, mask)[0]
            hidden = encoder.after_norm(hidden)
            if hasattr(encoder, "tp_encoders"):
                for layer in encoder.tp_encoders:
                    hidden = layer(hidden, mask)[0]
                hidden = encoder.tp_norm(hidden)
            return hidden if self.head is None else self.head(hidden)

    return MaskedEncoder().eval()


def _bucket(module: Any, frames: int, size: int, masked: bool, target: Path) -> Bucket:
    torch = load_torch()
    example = {"speech": torch.randn(1, frames, size)}
    if masked:
        example["mask"] = torch.ones(1, 1, frames)
    output = "logits" if masked and module.head is not None else "hidden" if masked else "print"
    file = target / f"encoder.{frames}.onnx"
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer speaks of constants, which is what fixed lengths are for
        torch.onnx.export(
            module,
            tuple(example.values()),
            str(file),
            input_names=list(example),
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,
        )
    shapes = {name: list(value.shape) for name, value in example.items()}
    error = max(_error(module, file, round(frames * part), frames, size, masked) for part in _FILLED)
    return Bucket(frames, file.name, sha256(file), shapes, [output], error)


def _error(module: Any, file: Path, frames: int, bucket: int, size: int, masked: bool) -> float:
    """What the file makes of padded input against what torch makes of the input alone."""
    torch = load_torch()
    features: Features = np.random.default_rng(frames).normal(size=(frames, size)).astype(np.float32)
    with torch.inference_mode():
        if masked:
            wanted = module(torch.from_numpy(features)[None], torch.ones(1, 1, frames)).numpy()
        else:
            wanted = module(torch.from_numpy(repeated(features, bucket))).numpy()
    speech, mask = padded(features, bucket)
    feeds = {"speech": speech, "mask": mask} if masked else {"speech": repeated(features, bucket)}
    found = next(iter(OnnxSession(file, torch.get_num_threads()).run(feeds).values()))
    return relative_error(found[:, :frames] if masked else found, wanted)
