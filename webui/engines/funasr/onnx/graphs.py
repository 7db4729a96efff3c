"""The parts of SenseVoice and Paraformer that are worth exporting, as modules that ONNX can trace.

One segment at a time, so that no masks are needed: on a CPU batches gain nothing. The arithmetic is FunASR's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webui.devices import load_torch
from webui.engines.funasr.loading import Built


@dataclass(frozen=True)
class Graph:
    """A part to export. `inputs`: name → example, `dynamic`: name → {axis: symbol}."""

    name: str
    module: Any
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]]


# Submodules that need no weights where the exported graphs compute them.
REPLACED = {
    "sensevoice": ("encoder", "ctc"),
    "paraformer": (
        "encoder.encoders0",
        "encoder.encoders",
        "encoder.after_norm",
        "decoder.decoders",
        "decoder.decoders3",
        "decoder.after_norm",
        "decoder.output_layer",
    ),
}


def graphs(kind: str, built: Built) -> list[Graph]:
    """The graphs of a model of the family `kind`."""
    model, frames = built.model, load_torch().zeros(1, 50, built.config["input_size"])
    if kind == "sensevoice":
        axes = {"speech": {1: "frames"}, "best": {1: "frames"}, "score": {1: "frames"}, "hidden": {1: "frames"}}
        return [Graph("encoder", _sense_voice(model), {"speech": frames}, ("best", "score", "hidden"), axes)]
    encoder = Graph(
        "encoder",
        _encoder(model.encoder),
        {"speech": frames},
        ("hidden",),
        {"speech": {1: "frames"}, "hidden": {1: "frames"}},
    )
    width = model.encoder.output_size()
    memory, tokens = load_torch().randn(1, 50, width), load_torch().randn(1, 11, width)
    decoder = Graph(
        "decoder",
        _decoder(model.decoder),
        {"memory": memory, "tokens": tokens},
        ("logits", "hidden"),
        {"memory": {1: "frames"}, "tokens": {1: "tokens"}, "logits": {1: "tokens"}, "hidden": {1: "tokens"}},
    )
    return [encoder, decoder]


def _encoder(encoder: Any) -> Any:
    torch = load_torch()

    class Encoder(torch.nn.Module):  # type: ignore[name-defined]
        """SANM encoders of Paraformer and SenseVoice without masks: (1, frames, dimensions) → (1, frames, width)."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, speech: Any) -> Any:
            hidden = encoder.embed(speech * encoder.output_size() ** 0.5)
            for layer in [*encoder.encoders0, *encoder.encoders]:
                hidden = layer(hidden, None)[0]
            hidden = encoder.after_norm(hidden)
            if not hasattr(encoder, "tp_encoders"):
                return hidden
            for layer in encoder.tp_encoders:
                hidden = layer(hidden, None)[0]
            return encoder.tp_norm(hidden)

    return Encoder().eval()


def _sense_voice(model: Any) -> Any:
    torch = load_torch()
    encoder = _encoder(model.encoder)

    class SenseVoiceGraph(torch.nn.Module):  # type: ignore[name-defined]
        """Encoder, CTC layer and the best token of each frame with its log probability."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.output = model.ctc.ctc_lo

        def forward(self, speech: Any) -> Any:
            hidden = self.encoder(speech)
            logits = self.output(hidden)
            highest, best = logits.max(dim=-1)
            return best, highest - torch.logsumexp(logits, dim=-1), hidden

    return SenseVoiceGraph().eval()


def _decoder(decoder: Any) -> Any:
    torch = load_torch()

    class Decoder(torch.nn.Module):  # type: ignore[name-defined]
        """ParaformerSANMDecoder without masks: memory and one embedding a token → logits and hidden states."""

        def __init__(self) -> None:
            super().__init__()
            self.decoder = decoder

        def forward(self, memory: Any, tokens: Any) -> Any:
            hidden = tokens
            for layer in [*decoder.decoders, *(decoder.decoders2 or ()), *decoder.decoders3]:
                hidden = layer(hidden, None, memory, None)[0]
            hidden = decoder.after_norm(hidden)
            return decoder.output_layer(hidden), hidden

    return Decoder().eval()
