"""Run by test_npu.py in a process of its own: the whole model on the simulated NPU.

    python npu_child.py SIM_NPU MODEL_FOLDER

Prints one JSON line: the largest differences from the CPU, what of the model is not
on the device, and the operators at which the host waits for a number from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [sys.argv[1], str(Path(__file__).resolve().parents[2])]

import numpy as np
import sim_npu
import soundfile
import torch

from webui.engines import cosyvoice

KIT = Path(__file__).parent / "kit"
TEXT = "今天天气很好，我的朋友Tom从远方寄来[h][ào]礼物。"
ON_THE_HOST = ("noise", "_pitch", "_source", "_frequencies", "encoder", "tokenizer")


def main() -> None:
    sim_npu.install()
    sim_npu.reset(devices=1, memory_mb=2048)
    prompt = soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")
    reference = dict(np.load(KIT / "synthetic_prompt.npz"))
    options = {
        "forced_tokens": reference["gen_token"][0].tolist(),
        "source_noise": np.load(KIT / "synthetic_prompt_noise.npy"),
    }
    runtime = cosyvoice.load(sys.argv[2], "npu:0", "float32")
    half = cosyvoice.load(sys.argv[2], "npu:0", "bfloat16")
    transcript = "您好，这里是市民服务热线，很高兴为您服务。"
    trace: dict = {}
    half_trace: dict = {}
    with sim_npu.trace() as ops:
        runtime.synthesize(TEXT, *prompt, transcript, trace=trace, **options)
        list(runtime.synthesize(TEXT, *prompt, transcript, stream=True, **options))
        runtime.synthesize("", *prompt, mode="convert", speed=1.5)
        half.synthesize(TEXT, *prompt, transcript, trace=half_trace, **options)
    sim_npu.require_ops(ops)
    differences = {
        name: float(np.abs(np.asarray(trace[name])[: len(reference[name])] - reference[name]).max())
        for name in ("logits", "mel", "f0", "hift_wav")
    }
    differences["bfloat16 mel, mean"] = float(np.abs(np.asarray(half_trace["mel"]) - reference["mel"]).mean())
    strays = [name for name, tensor in tensors(runtime, "runtime") if tensor.device.type != "npu"]
    waits = [op for op in ops if op.startswith(("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select"))]
    print(json.dumps({"differences": differences, "strays": strays, "waits": waits}))


def tensors(thing, name):
    """Every tensor that hangs on `thing` and belongs on the device, with its path."""
    if name.endswith(ON_THE_HOST):
        return
    if isinstance(thing, torch.Tensor):
        yield name, thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from tensors(value, f"{name}.{key}")
    elif isinstance(thing, list | tuple):
        for index, value in enumerate(thing):
            yield from tensors(value, f"{name}.{index}")
    elif type(thing).__module__.startswith("webui.engines.cosyvoice"):
        yield from tensors(vars(thing), name)


if __name__ == "__main__":
    main()
