"""What CosyVoice3 costs on this machine: full-size random weights, each stage on its own and all together.

    python benchmarks/cosyvoice.py [--device cpu] [--dtype bfloat16 …] [--steps 10] [--tokens 125] [--folder DIR]
    python benchmarks/cosyvoice.py --device cuda
    python benchmarks/cosyvoice.py --step

Prints one JSON line, and each part of it on standard error as it is done. On the CPU the figures are CPU seconds
(divide by the cores for time), elsewhere wall seconds, the middle of three. On an accelerator both float32 and bfloat16
by default, decoding by graphs and eagerly, lengths met before and new ones, and the differences from the reference.
`--step` compares ways to compute one decoding step. Without --folder the weights are made in a temporary folder
(about 3.5 GB on disk).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from tests.cosyvoice.device_parity import KIT, differences
from webui.devices import load_torch
from webui.engines import cosyvoice
from webui.engines.cosyvoice.runtime import PromptFeatures, Runtime
from webui.engines.cosyvoice.sampling import ForcedTokens, RepetitionAwareSampler

PROMPT_TOKENS, TEXT_TOKENS = 87, 40  # 3.5 s of prompt
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16", "float16", "int8"))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=125, help="speech tokens, 25 a second")
    parser.add_argument("--folder", type=Path, help="a model folder to use, made there when missing")
    parser.add_argument("--step", action="store_true", help="compare ways to compute a step of decoding")
    arguments = parser.parse_args()
    load_torch()
    device = torch.device(arguments.device)
    kinds = arguments.dtype or (["bfloat16"] if device.type == "cpu" else ["bfloat16", "float32"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "full"
        if not (folder / "llm.pt").exists():
            build(folder)
        if arguments.step:
            runs = [{"dtype": kind, **compare_steps(cosyvoice.load(folder, device, kind))} for kind in kinds]
        else:
            fresh = count(1)
            runs = [
                run for kind in kinds for run in ways(folder, device, kind, arguments.tokens, arguments.steps, fresh)
            ]
        parity = {} if device.type == "cpu" else {kind: apart(Path(temporary), device, kind) for kind in kinds}
    setting = {"device": name(device), "torch": torch.__version__, "steps": arguments.steps}
    print(json.dumps({"benchmark": "cosyvoice", **setting, "runs": runs, "differences": parity}))


def ways(
    folder: Path, device: torch.device, kind: str, tokens: int, steps: int, fresh: Iterator[int]
) -> Iterator[dict[str, Any]]:
    """The figures of decoding by graphs, where the device has them, and eagerly."""

    def figures() -> dict[str, float]:
        return measure(runtime, tokens, steps) | new_lengths(runtime, tokens, steps, fresh)

    runtime = cosyvoice.load(folder, device, kind)
    model = runtime.language_model
    if model.by_graphs:
        found = figures()
        decoding = "eager, as capturing failed" if model.by_graphs.given_up else "graphs"
        yield shown({"dtype": kind, "decoding": decoding} | found)
        model.by_graphs = None
    yield shown({"dtype": kind, "decoding": "eager"} | figures())


def shown(run: dict[str, Any]) -> dict[str, Any]:
    """The same, on standard error at once: what a device does later may end the process."""
    print(json.dumps(run), file=sys.stderr, flush=True)
    return run


def measure(runtime: Runtime, tokens: int, steps: int) -> dict[str, float]:
    """Seconds of each stage for `tokens` speech tokens after a prompt of 87; the first use stands apart."""
    clock, once = _clock(runtime.device), _clock(runtime.device, 1)
    _reset_peak(runtime.device)
    voice = _voice()
    condition = runtime.flow.condition(voice.tokens, voice.mel, voice.speaker)
    spoken = _spoken(tokens)

    def stream() -> Iterator[Any]:
        return runtime.speak(_decode(runtime, spoken), voice, steps=steps, stream=True)

    def everything() -> torch.Tensor:
        list(_decode(runtime, spoken))
        next(stream())
        mel = runtime.flow(spoken, condition, steps=steps)
        runtime.vocoder(mel)
        return mel

    first_use = once(everything)
    mel = runtime.flow(spoken, condition, steps=steps)
    prefill = clock(lambda: next(_decode(runtime, spoken)))
    decoding = clock(lambda: list(_decode(runtime, spoken)))
    flow = clock(lambda: runtime.flow(spoken, condition, steps=steps))
    vocoder = clock(lambda: runtime.vocoder(mel))
    seconds = tokens / 25
    return {
        "speech_s": seconds,
        "first_use_s": first_use,
        "llm_prefill_s": prefill,
        "llm_tokens_per_s": round((tokens - 1) / (decoding - prefill), 2),
        "sampling_s_per_token": sampling(runtime.device),
        "flow_s_per_step": round(flow / steps, 5),
        "flow_s": flow,
        "vocoder_s": vocoder,
        "vocoder_on_host_s": clock(lambda: runtime.vocoder.source(runtime.vocoder.pitch(mel))),
        "total_s": round(decoding + flow + vocoder, 4),
        "rtf": round((decoding + flow + vocoder) / seconds, 4),
        "first_sound_s": clock(lambda: next(stream())),
        "streamed_s": clock(lambda: list(stream())),
        "peak_memory_mb": round(_peak_memory(runtime.device) / 2**20),
    }


def new_lengths(runtime: Runtime, tokens: int, steps: int, fresh: Iterator[int]) -> dict[str, float]:
    """The same for sentences and prompts of lengths new to the device, whose libraries plan anew for many of them.

    That is what the next sentence and the next voice meet. `fresh`: numbers not had before in this process. On the CPU,
    where it makes no difference, nothing.
    """
    if runtime.device.type == "cpu":
        return {}
    once = _clock(runtime.device, 1)

    def sentence(length: int) -> None:
        list(runtime.speak(_decode(runtime, _spoken(length)), _voice(), steps=steps))

    def first_sound(prompt: int) -> None:
        next(runtime.speak(_decode(runtime, _spoken(tokens)), _voice(prompt), steps=steps, stream=True))

    numbers = [next(fresh) for _ in range(REPEATS)]
    rtf = [once(partial(sentence, tokens - one)) / (tokens - one) * 25 for one in numbers]
    first = [once(partial(first_sound, PROMPT_TOKENS + one)) for one in numbers]
    return {
        "rtf_of_a_new_length": round(statistics.median(rtf), 4),
        "first_sound_of_a_new_voice_s": statistics.median(first),
    }


def sampling(device: torch.device) -> float:
    """Host seconds to draw a token, where the likeliest four have just been used and are drawn again."""
    logits = 3 * torch.randn(6761, generator=torch.Generator().manual_seed(0))
    sampler, count = RepetitionAwareSampler(0), 200
    decoded = logits.topk(4).indices.tolist()

    def draw() -> None:
        for _ in range(count):
            sampler(logits, decoded, False)

    return round(_clock(device)(draw) / count, 7)


def compare_steps(runtime: Runtime) -> dict[str, float]:
    """Seconds of a step of decoding at position 300: eager, of fixed shapes, and that compiled."""
    model, clock = runtime.language_model, _clock(runtime.device)
    cache = model._new_cache(512)
    model._places = torch.arange(512, device=runtime.device)
    token, position = (torch.tensor([number], device=runtime.device) for number in (7, 300))
    compiled = torch.compile(model._static_step, fullgraph=True)

    def eager() -> None:
        cache.used = 300
        model._eager_step(7, cache)

    steps = {
        "eager": eager,
        "static": lambda: model._static_step(token, position, cache, 512),
        "compiled": lambda: compiled(token, position, cache, 512),
    }
    with torch.inference_mode():
        for step in steps.values():
            step()
        rounds = [{way: clock(step) for way, step in steps.items()} for _ in range(20)]
    return {way: statistics.median(one[way] for one in rounds) for way in steps}


def apart(folder: Path, device: torch.device, kind: str) -> dict[str, float]:
    """How far this device is from the reference, with the parity kit's small weights."""
    small = folder / "small"
    if not small.exists():
        build_small(small)
    return differences(cosyvoice.load(small, device, kind))


def _decode(runtime: Runtime, tokens: list[int]) -> Iterator[int]:
    """Tokens drawn as always, for what that costs, and `tokens` taken in their place."""
    drawing, forced = RepetitionAwareSampler(0), ForcedTokens(tokens)

    def sampler(logits: torch.Tensor, decoded: Sequence[int], may_end: bool) -> int:
        drawing(logits, decoded, may_end)
        return forced(logits, decoded, may_end)

    text = list(range(100, 100 + TEXT_TOKENS))
    return runtime.language_model.generate(text, _voice().tokens.tolist(), sampler, 0, len(tokens))


def _spoken(tokens: int) -> list[int]:
    return torch.randint(0, 6561, (tokens,), generator=torch.Generator().manual_seed(1)).tolist()


def _voice(count: int = PROMPT_TOKENS) -> PromptFeatures:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 6561, (count,), generator=generator)
    mel = torch.randn(2 * count, 80, generator=generator) - 5
    return PromptFeatures(tokens, mel, torch.randn(1, 192, generator=generator))


def _clock(device: torch.device, repeats: int = REPEATS) -> Callable[[Callable[[], Any]], float]:
    """Times work: CPU seconds of one run on the CPU, else the middle of some in wall seconds."""
    if device.type == "cpu":
        return lambda work: round(_timed(work, time.process_time, lambda: None), 5)
    wait = partial(torch.get_device_module(device).synchronize, device)
    return lambda work: round(statistics.median(_timed(work, time.perf_counter, wait) for _ in range(repeats)), 5)


def _timed(work: Callable[[], Any], now: Callable[[], float], wait: Callable[[], Any]) -> float:
    wait()
    began = now()
    work()
    wait()
    return now() - began


def _peak_memory(device: torch.device) -> float:
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return torch.get_device_module(device).max_memory_allocated(device)


def _reset_peak(device: torch.device) -> None:
    if device.type != "cpu":
        torch.get_device_module(device).reset_peak_memory_stats(device)


def name(device: torch.device) -> str:
    return platform.machine() if device.type == "cpu" else torch.get_device_module(device).get_device_name(device)


def build_small(folder: Path) -> None:
    """A folder in the official layout, with the parity kit's small weights."""
    spec = importlib.util.spec_from_file_location("build_model_dir", KIT / "build_model_dir.py")
    assert spec and spec.loader
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    builder.build(folder)


def build(folder: Path) -> None:
    """A folder in the official layout and of the official size, with random weights."""
    build_small(folder)
    config = folder / "CosyVoice-BlankEN" / "config.json"
    sizes = {"hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2}
    config.write_text(json.dumps(json.loads(config.read_text()) | sizes | {"num_hidden_layers": 24}))
    for name, shapes in (("llm.pt", llm_shapes()), ("flow.pt", flow_shapes()), ("hift.pt", hift_shapes())):
        torch.save(_random(shapes), folder / name)


def _random(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for key, shape in shapes.items():
        spread = 0.02 if len(shape) > 1 else 0.01
        tensors[key] = torch.randn(shape, generator=generator) * spread
        if "norm.weight" in key or "alpha" in key or "layernorm" in key or key.endswith("original0"):
            tensors[key] = torch.ones(shape)
        if key.endswith("inv_freq"):
            tensors[key] = 10000 ** -(torch.arange(0, 64, 2) / 64)
    return tensors


def llm_shapes() -> dict[str, tuple[int, ...]]:
    model = "llm.model.model."
    shapes: dict[str, tuple[int, ...]] = {f"{model}embed_tokens.weight": (151936, 896), f"{model}norm.weight": (896,)}
    for index in range(24):
        layer = f"{model}layers.{index}."
        for name, rows in (("q", 896), ("k", 128), ("v", 128)):
            shapes[f"{layer}self_attn.{name}_proj.weight"] = (rows, 896)
            shapes[f"{layer}self_attn.{name}_proj.bias"] = (rows,)
        shapes[f"{layer}self_attn.o_proj.weight"] = (896, 896)
        for name, shape in (("gate", (4864, 896)), ("up", (4864, 896)), ("down", (896, 4864))):
            shapes[f"{layer}mlp.{name}_proj.weight"] = shape
        shapes[f"{layer}input_layernorm.weight"] = shapes[f"{layer}post_attention_layernorm.weight"] = (896,)
    return shapes | {"llm_decoder.weight": (6761, 896), "speech_embedding.weight": (6761, 896)}


def flow_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"input_embedding.weight": (6561, 80)}
    estimator = "decoder.estimator."

    def layer(key: str, *shape: int) -> None:
        shapes[f"{key}.weight"], shapes[f"{key}.bias"] = shape, shape[:1]

    layer("spk_embed_affine_layer", 80, 192)
    layer("pre_lookahead_layer.conv1", 1024, 80, 4)
    layer("pre_lookahead_layer.conv2", 80, 1024, 3)
    layer(f"{estimator}time_embed.time_mlp.0", 1024, 256)
    layer(f"{estimator}time_embed.time_mlp.2", 1024, 1024)
    layer(f"{estimator}input_embed.proj", 1024, 320)
    for index in (1, 2):
        layer(f"{estimator}input_embed.conv_pos_embed.conv{index}.0", 1024, 64, 31)
    shapes[f"{estimator}rotary_embed.inv_freq"] = (32,)
    for index in range(22):
        block = f"{estimator}transformer_blocks.{index}."
        layer(f"{block}attn_norm.linear", 6144, 1024)
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            layer(f"{block}attn.{name}", 1024, 1024)
        layer(f"{block}ff.ff.0.0", 2048, 1024)
        layer(f"{block}ff.ff.2", 1024, 2048)
    layer(f"{estimator}norm_out.linear", 2048, 1024)
    layer(f"{estimator}proj_out", 80, 1024)
    return shapes


def hift_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"m_source.l_linear.weight": (1, 9), "m_source.l_linear.bias": (1,)}

    def normed(key: str, out: int, into: int, kernel: int) -> None:
        shapes[f"{key}.bias"] = (out,)
        shapes[f"{key}.parametrizations.weight.original0"] = (out, 1, 1)
        shapes[f"{key}.parametrizations.weight.original1"] = (out, into, kernel)

    def block(key: str, channels: int, kernel: int) -> None:
        for index in range(3):
            for half in (1, 2):
                normed(f"{key}.convs{half}.{index}", channels, channels, kernel)
                shapes[f"{key}.activations{half}.{index}.alpha"] = (channels,)

    normed("conv_pre", 512, 80, 5)
    for index, (kernel, down, residual) in enumerate(((16, 30, 7), (11, 6, 7), (7, 1, 11))):
        channels = 256 >> index
        normed(f"ups.{index}", channels, 2 * channels, kernel)
        shapes[f"source_downs.{index}.weight"] = (channels, 18, down)
        shapes[f"source_downs.{index}.bias"] = (channels,)
        block(f"source_resblocks.{index}", channels, residual)
        for branch, width in enumerate((3, 7, 11)):
            block(f"resblocks.{3 * index + branch}", channels, width)
    normed("conv_post", 18, 64, 7)
    for index in range(5):
        normed(f"f0_predictor.condnet.{2 * index}", 512, 512 if index else 80, 3 if index else 4)
    return shapes | {"f0_predictor.classifier.weight": (1, 512), "f0_predictor.classifier.bias": (1,)}


if __name__ == "__main__":
    main()
