"""What lies in a folder of exported encoders, and the command that makes an Ascend model of each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from webui.errors import UserError

FILE = "manifest.json"
CHIPS = ("Ascend310", "Ascend310P1", "Ascend310P3", "Ascend310B1", "Ascend310B4")  # as `npu-smi info` and ATC name them


@dataclass(frozen=True)
class Bucket:
    """One file. `inputs`: name → shape, in the file's order; `error`: the worst relative L2 error against torch."""

    frames: int
    file: str
    sha256: str
    inputs: dict[str, list[int]]
    outputs: list[str]
    error: float

    def atc(self, chip: str) -> list[str]:
        """ATC's arguments: it runs without a card, and its result fits this chip and this CANN only."""
        shapes = ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in self.inputs.items())
        return [
            "atc",
            "--framework=5",  # ONNX
            f"--model={self.file}",
            f"--output={Path(self.file).stem}.{chip}",
            "--input_format=ND",
            f"--input_shape={shapes}",
            f"--soc_version={chip}",
        ]


@dataclass(frozen=True)
class Manifest:
    """`family`: sensevoice, paraformer or speaker; `masked`: whether shorter inputs are padded and masked."""

    model: str
    family: str
    revision: str
    masked: bool
    buckets: list[Bucket]

    def write(self, folder: Path) -> None:
        content = {**asdict(self), "atc": {chip: [bucket.atc(chip) for bucket in self.buckets] for chip in CHIPS}}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises UserError MODEL_BROKEN."""
        try:
            content = json.loads((folder / FILE).read_text("utf-8"))
            content.pop("atc")
            return cls(**{**content, "buckets": [Bucket(**bucket) for bucket in content["buckets"]]})
        except (OSError, ValueError, TypeError, KeyError):
            raise UserError("MODEL_BROKEN", model=folder.name, reason=FILE) from None
