"""Computing with the exported graphs: the places in FunASR's models where they take over."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from webui.devices import load_torch
from webui.engines.funasr.loading import Built
from webui.engines.funasr.onnx.export import Optimised
from webui.onnx_session import OnnxSession


class OnnxEncoder:
    """SenseVoice's encoder; the frames that ask for language and ITN come from the model's own embedding."""

    def __init__(self, optimised: Optimised, built: Built) -> None:
        self._session = OnnxSession(optimised.file("encoder"), load_torch().get_num_threads())
        self._embedding: NDArray[np.float32] = built.model.embed.weight.detach().numpy()

    def best_tokens(
        self, padded: NDArray[np.float32], lengths: NDArray[np.int64], asked: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        longest = padded.shape[1] + len(asked)
        best = np.zeros((len(padded), longest), np.int64)
        scores = np.zeros((len(padded), longest), np.float32)
        for row, (speech, length) in enumerate(zip(padded, lengths, strict=True)):
            frames = np.concatenate([self._embedding[asked], speech[:length]])[None]
            found = self._session.run({"speech": frames}, ("best", "score"))
            best[row, : frames.shape[1]], scores[row, : frames.shape[1]] = found["best"][0], found["score"][0]
        return best, scores


def take_over_paraformer(built: Built, optimised: Optimised) -> None:
    """Let the exported graphs compute the encoder and the decoder of `built`, one segment at a time."""
    torch = load_torch()
    threads = torch.get_num_threads()
    encoder = OnnxSession(optimised.file("encoder"), threads)
    decoder = OnnxSession(optimised.file("decoder"), threads)

    def encode(speech: Any, lengths: Any) -> tuple[Any, Any, None]:
        hidden = encoder.run({"speech": speech.numpy()}, ("hidden",))["hidden"]
        return torch.from_numpy(hidden), lengths, None

    def decode(
        memory: Any,
        memory_lengths: Any,
        tokens: Any,
        token_lengths: Any,
        chunk_mask: Any = None,
        return_hidden: bool = False,
        return_both: bool = False,
    ) -> Any:
        del memory_lengths, chunk_mask
        inputs = {"memory": memory.numpy(), "tokens": np.ascontiguousarray(tokens.numpy())}
        found = decoder.run(inputs, ("logits", "hidden"))
        logits, hidden = torch.from_numpy(found["logits"]), torch.from_numpy(found["hidden"])
        if return_both:
            return logits, hidden, token_lengths
        return (hidden if return_hidden else logits), token_lengths

    built.model.encoder.forward = encode
    built.model.decoder.forward = decode
