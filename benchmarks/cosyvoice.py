"""What CosyVoice3 costs on this machine: full-size random weights, each stage on its own and all together.

    python benchmarks/cosyvoice.py [--device cpu] [--dtype bfloat16] [--steps 10] [--tokens 125] [--folder DIR]

Prints one JSON line. On the CPU the figures are CPU seconds (divide by the cores for time), elsewhere wall seconds.
Without --folder the weights are made in a temporary folder (about 3.5 GB on disk).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from webui.engines import cosyvoice
from webui.engines.cosyvoice.runtime import PromptFeatures, Runtime

KIT = Path(__file__).resolve().parent.parent / "tests" / "cosyvoice" / "kit"
PROMPT_TOKENS, TEXT_TOKENS = 87, 40  # 3.5 s of prompt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=125, help="speech tokens, 25 a second")
    parser.add_argument("--folder", type=Path, help="a model folder to use, made there when missing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / "llm.pt").exists():
            build(folder)
        runtime = cosyvoice.load(folder, arguments.device, arguments.dtype)
        figures = measure(runtime, arguments.tokens, arguments.steps)
    setting = {"device": arguments.device, "dtype": arguments.dtype, "steps": arguments.steps}
    print(json.dumps({"benchmark": "cosyvoice", **setting, **figures}))


def measure(runtime: Runtime, tokens: int, steps: int) -> dict[str, float]:
    """Seconds of each stage for `tokens` speech tokens after a prompt of 87; the first use is left out."""
    clock = _clock(runtime.device)
    voice = _voice()
    condition = runtime.flow.condition(voice.tokens, voice.mel, voice.speaker)
    spoken = torch.randint(0, 6561, (tokens,), generator=torch.Generator().manual_seed(1)).tolist()
    mel = runtime.flow(spoken[:4], condition, steps=steps)
    runtime.vocoder(mel)
    list(_decode(runtime, spoken[:2]))

    prefill, _ = clock(lambda: next(_decode(runtime, spoken)))
    decoding, _ = clock(lambda: list(_decode(runtime, spoken)))
    flow, mel = clock(lambda: runtime.flow(spoken, condition, steps=steps))
    vocoder, _ = clock(lambda: runtime.vocoder(mel))
    first, _ = clock(lambda: next(iter(runtime.speak(_decode(runtime, spoken), voice, steps=steps, stream=True))))
    seconds = tokens / 25
    return {
        "speech_s": seconds,
        "llm_prefill_s": prefill,
        "llm_tokens_per_s": (tokens - 1) / (decoding - prefill),
        "flow_s_per_step": flow / steps,
        "flow_s": flow,
        "vocoder_s": vocoder,
        "total_s": decoding + flow + vocoder,
        "rtf": (decoding + flow + vocoder) / seconds,
        "first_sound_s": first,
        "peak_memory_mb": _peak_memory(runtime.device) / 2**20,
    }


def _decode(runtime: Runtime, tokens: list[int]) -> Any:
    from webui.engines.cosyvoice.sampling import ForcedTokens

    text = list(range(100, 100 + TEXT_TOKENS))
    prompt = _voice().tokens.tolist()
    return runtime.language_model.generate(text, prompt, ForcedTokens(tokens), 0, len(tokens))


def _voice() -> PromptFeatures:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 6561, (PROMPT_TOKENS,), generator=generator)
    mel = torch.randn(2 * PROMPT_TOKENS, 80, generator=generator) - 5
    return PromptFeatures(tokens, mel, torch.randn(1, 192, generator=generator))


def _clock(device: torch.device) -> Callable[[Callable[[], Any]], tuple[float, Any]]:
    def timed(work: Callable[[], Any]) -> tuple[float, Any]:
        now = time.process_time if device.type == "cpu" else time.perf_counter
        began = now()
        result = work()
        if device.type != "cpu":
            torch.get_device_module(device).synchronize()
        return round(now() - began, 4), result

    return timed


def _peak_memory(device: torch.device) -> float:
    if device.type == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return torch.get_device_module(device).max_memory_allocated()


def build(folder: Path) -> None:
    """A folder in the official layout and of the official size, with random weights."""
    spec = importlib.util.spec_from_file_location("build_model_dir", KIT / "build_model_dir.py")
    assert spec and spec.loader
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    builder.build(folder)
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
