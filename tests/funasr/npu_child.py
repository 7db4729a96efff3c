"""Run by test_npu.py in a process of its own: FunASR's models on the simulated NPU.

    python -m tests.funasr.npu_child MODELS

MODELS holds folders of random weights. Prints one JSON object: folder → results on the CPU and on the card, and what of
the model is not there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from webui import devices
from webui.engines import funasr
from webui.engines.base import Model, RecognitionOptions, Waveform
from webui.hosting.calibration import synthetic_voice
from webui.settings import Settings


def main(folder: Path) -> dict[str, Any]:
    devices.load_torch()
    import sim_npu

    sim_npu.reset(devices=1, memory_mb=1024)
    settings = Settings(data=folder / "data", models=folder)
    found = {}
    for model in funasr.models(settings):
        with sim_npu.trace() as ops:
            there = heard(model, "npu:0")
        sim_npu.require_ops(ops)
        found[model.name] = {"cpu": heard(model, "cpu"), "npu": there, "ops": len(ops)}
    return found


def heard(model: Model, device: str) -> Any:
    recognizer = model.load(device)
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    batch = [Waveform(synthetic_voice(2.0), 16_000), Waveform(noise, 16_000), Waveform(noise[:20_000], 16_000)]
    hotwords = ("一丁",) if model.capabilities.hotwords else ()
    results = recognizer.recognize(batch, RecognitionOptions(hotwords=hotwords))
    strays = sorted({str(each.device) for each in recognizer.built.model.parameters()} - {device})
    recognizer.close()
    words = [[(word.text, round(word.start, 3), round(word.end, 3)) for word in result.words] for result in results]
    return {"texts": [result.text for result in results], "words": words, "strays": strays}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), ensure_ascii=False))
