"""A runtime against the reference's tensors, stage by stage, each from the reference's own inputs.

So a stage shows its own difference: the vocoder's phase makes a sample's hundredth of a last bit in the mel, and
processors differ in the last bit of an FFT.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from webui.engines.cosyvoice.runtime import PromptFeatures, Runtime
from webui.engines.cosyvoice.sampling import ForcedTokens

KIT = Path(__file__).with_name("kit")
LIMITS = {"logits": 1e-2, "mel": 1e-2, "f0": 1e-2, "hift_wav": 1e-2}  # float32 on another device than the CPU
BFLOAT16_MEL = 0.02  # on average


def differences(runtime: Runtime) -> dict[str, float]:
    """The largest of logits (40 forced steps), mel, pitch in Hz and samples, and the mel's average."""
    reference = dict(np.load(KIT / "synthetic_prompt.npz"))
    noise = torch.from_numpy(np.load(KIT / "synthetic_prompt_noise.npy"))
    ours = {"logits": _logits(runtime, reference), **_sound(runtime, reference, noise)}
    ours["hift_wav"] = runtime.vocoder(torch.from_numpy(reference["mel"]), noise=noise).cpu()[None]
    apart = {name: _apart(ours[name].numpy()[: len(reference[name])], reference[name]) for name in LIMITS}
    return {name: float(one.max()) for name, one in apart.items()} | {"mel, mean": float(apart["mel"].mean())}


def _apart(ours: np.ndarray, reference: np.ndarray) -> np.ndarray:
    assert ours.shape == reference.shape
    return np.abs(ours - reference)


def _logits(runtime: Runtime, reference: dict[str, np.ndarray]) -> torch.Tensor:
    tokens, prompt = (reference[name][0].tolist() for name in ("gen_token", "flow_prompt_token"))
    text = [*reference["prompt_text_ids"].tolist(), *reference["text_ids"].tolist()]
    logits: list[torch.Tensor] = []
    list(runtime.language_model.generate(text, prompt, ForcedTokens(tokens), 0, len(tokens), logits))
    return torch.stack(logits)


def _sound(runtime: Runtime, reference: dict[str, np.ndarray], noise: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mel and pitch of the reference's tokens in the reference's voice."""
    trace: dict[str, torch.Tensor] = {}
    list(runtime.speak(iter(reference["gen_token"][0].tolist()), voice(), noise=noise, trace=trace))
    return {name: trace[name] for name in ("mel", "f0")}


def voice() -> PromptFeatures:
    """The reference's features of the synthetic prompt."""
    reference = np.load(KIT / "synthetic_prompt.npz")
    names = ("flow_prompt_token", "flow_prompt_feat")
    tokens, mel = (torch.from_numpy(reference[name][0]) for name in names)
    return PromptFeatures(tokens, mel, torch.from_numpy(reference["spk_emb"]))
