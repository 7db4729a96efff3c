"""CosyVoice3 on any torch device: our own runtime for the official Fun-CosyVoice3-0.5B weights.

Importing this package imports no torch; `load` and `Model.load` do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.devices import load_torch
from webui.engines.cosyvoice.folder import models

if TYPE_CHECKING:
    from webui.engines.cosyvoice.runtime import Runtime

__all__ = ["load", "models"]


def load(folder: Path | str, device: str = "cpu", dtype: Any = "float32") -> Runtime:
    """The runtime of the model in `folder` on a torch device ("cpu", "npu:0", "cuda" …).

    `dtype`: the numbers of the language model and the flow, "float32", "bfloat16" or "float16" (or a
    torch.dtype); the vocoder is always float32. Raises UserError MODEL_BROKEN naming file and key.
    """
    load_torch()
    from webui.engines.cosyvoice.runtime import Runtime

    return Runtime.load(Path(folder), device, dtype)
