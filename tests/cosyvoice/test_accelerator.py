"""The model on this machine's accelerator, whichever torch finds; skips by name where there is none.

    pytest tests/cosyvoice/test_accelerator.py

is the check for a machine with a GPU or an NPU.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from webui.devices import load_torch
from webui.engines import cosyvoice
from webui.engines.cosyvoice.sampling import ForcedTokens, RepetitionAwareSampler

from .device_parity import BFLOAT16_MEL, LIMITS, differences, voice

TEXT, PROMPT = list(range(100, 140)), list(range(30))


@pytest.fixture(scope="module")
def device() -> str:
    load_torch()
    if not torch.accelerator.is_available():
        pytest.skip("this machine has no accelerator")
    return f"{torch.accelerator.current_accelerator().type}:0"


@pytest.fixture(scope="module")
def runtime(device, cosyvoice_folder):
    return cosyvoice.load(cosyvoice_folder, device, "float32")


@pytest.fixture(scope="module")
def apart(runtime):
    return differences(runtime)


@pytest.mark.parametrize("name", LIMITS)
def test_float32_is_the_reference(apart, name):
    assert apart[name] <= LIMITS[name]


def test_bfloat16_is_near_the_reference(device, cosyvoice_folder):
    assert differences(cosyvoice.load(cosyvoice_folder, device, "bfloat16"))["mel, mean"] <= BFLOAT16_MEL


def test_decoding_is_by_graphs(runtime):
    list(runtime.language_model.generate(TEXT, PROMPT, ForcedTokens([5] * 9), 0, 9))
    assert runtime.language_model.by_graphs is not None, "torch has no graphs for this device"
    assert not runtime.language_model.by_graphs.given_up


def test_decoding_by_graphs_is_decoding_eager(runtime, monkeypatch):
    def logits():
        kept: list[torch.Tensor] = []
        list(runtime.language_model.generate(TEXT, PROMPT, ForcedTokens(list(range(300))), 0, 300, kept))
        return torch.stack(kept)

    replayed = logits()
    monkeypatch.setattr(runtime.language_model, "by_graphs", None)
    assert (replayed - logits()).abs().max() <= LIMITS["logits"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_seed_gives_the_same_samples(runtime, stream):
    def say(seed):
        tokens = runtime.language_model.generate(TEXT, PROMPT, RepetitionAwareSampler(seed), 90, 90)
        return np.concatenate(list(runtime.speak(tokens, voice(), steps=2, stream=stream)))

    first = say(3)
    assert not np.array_equal(say(4), first)
    np.testing.assert_array_equal(say(3), first)
