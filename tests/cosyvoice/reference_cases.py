"""The requests whose results by the reference implementation are kept in kit/modes.npz; kit/README.md tells how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soundfile

from .conftest import KIT

RATE = 24000
TEXT = "今天天气很好，我的朋友Tom从远方寄来[h][ào]礼物。"
TRANSCRIPT = "您好，这里是市民服务热线，很高兴为您服务。"
SYSTEM = "You are a helpful assistant.<|endofprompt|>"


@dataclass(frozen=True)
class Case:
    """A request in the reference's own words. `seconds` of the synthetic prompt; `tokens` forced (none: a conversion
    of that prompt's last 2.77 s, backwards)."""

    mode: str
    seconds: float
    tokens: int = 0
    stream: bool = False
    text: str = TEXT
    before: str = ""

    def prompt(self) -> np.ndarray:
        return recording()[: round(self.seconds * RATE)]

    def source(self) -> np.ndarray:
        return recording()[::-1][: round(2.77 * RATE)].copy()

    def forced(self) -> list[int]:
        return [(17 + 391 * index) % 6561 for index in range(self.tokens)]


CASES = {
    "instruct": Case("instruct", 4, 50, before="You are a helpful assistant. 请用四川话表达。<|endofprompt|>"),
    "cross-lingual": Case("cross_lingual", 3.37, 50, text=SYSTEM + TEXT),
    "zero-shot, streamed": Case("zero_shot", 3.48, 120, stream=True, before=SYSTEM + TRANSCRIPT),
    "conversion": Case("convert", 3.39),  # its mel has an odd number of frames, which conversion does not cut
    "conversion, streamed": Case("convert", 3.37, stream=True),
}


def recording() -> np.ndarray:
    return soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")[0]


def noise() -> np.ndarray:
    """Of 6 s: the kit's of 2 s three times."""
    return np.tile(np.load(KIT / "synthetic_prompt_noise.npy"), (3, 1))


def thin(name: str, tensor: np.ndarray) -> np.ndarray:
    """What is kept of a tensor: all of the small ones, a part of the large ones spread over the whole."""
    steps = {
        "flow_prompt_feat": (1, 13, 3),
        "logits": (7, 29),
        "mu": (1, 3, 7),
        "source": (1, 1, 37),
        "speech": (1, 17),
    }
    return tensor[tuple(slice(None, None, step) for step in steps.get(name, ()))]
