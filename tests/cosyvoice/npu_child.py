"""Run by test_npu.py in a process of its own: the whole model on the simulated NPU.

    python npu_child.py SIM_NPU MODEL_FOLDER

Prints one JSON line: the largest differences from the reference, of decoding by graphs (of a stand-in: the
simulator has no graphs) from decoding eagerly, what of the model is not on the device, and the operators at
which the host waits for a number from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [sys.argv[1], str(Path(__file__).resolve().parents[2])]

import sim_npu
import soundfile
import torch

from tests.cosyvoice import graphs_kit
from tests.cosyvoice.conftest import KIT
from tests.cosyvoice.device_parity import differences
from webui.engines import cosyvoice
from webui.engines.cosyvoice import graphs

TEXT = "今天天气很好，我的朋友Tom从远方寄来[h][ào]礼物。"
ON_THE_HOST = ("noise", "_pitch", "_source", "_frequencies", "encoder", "tokenizer")


def main() -> None:
    sim_npu.install()
    sim_npu.reset(devices=1, memory_mb=2048)
    prompt = soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")
    request = (TEXT, *prompt, "您好，这里是市民服务热线，很高兴为您服务。")
    runtime = cosyvoice.load(sys.argv[2], "npu:0", "float32")
    half = cosyvoice.load(sys.argv[2], "npu:0", "bfloat16")
    made, captured = capturing_runtime(sys.argv[2])
    with sim_npu.trace() as ops:
        found = {"float32": differences(runtime), "bfloat16": differences(half)}
        runtime.synthesize(*request, steps=2)
        list(runtime.synthesize(*request, stream=True, steps=2, forced_tokens=list(range(60))))
        runtime.synthesize("", *prompt, mode="convert", speed=1.5, steps=2)
        apart = float((logits(captured, request) - logits(runtime, request)).abs().max())
    sim_npu.require_ops(ops)
    strays = [name for name, tensor in tensors(captured, "runtime") if tensor.device.type != "npu"]
    waits = [op for op in ops if op.startswith(("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select"))]
    replays = sum(graph.replays for graph in made)
    print(json.dumps({**found, "graphs": apart, "replays": replays, "strays": strays, "waits": waits}))


def capturing_runtime(folder):
    """A runtime whose device has graphs, which are always in time; and the list of those that it makes."""
    made = graphs_kit.install(setattr, torch.npu)
    graphs._seconds = lambda work: 1.0 if not hasattr(work, "__self__") else 0.5
    return made, cosyvoice.load(folder, "npu:0", "float32")


def logits(runtime, request):
    """Of each of 44 forced steps."""
    trace: dict = {}
    runtime.synthesize(*request, steps=1, trace=trace, forced_tokens=list(range(100, 144)))
    return trace["logits"]


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
