"""The model on this machine's accelerator, whichever torch finds; skips by name where there is none.

    pytest tests/cosyvoice/test_accelerator.py

is the check for a machine with a GPU or an NPU.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from webui.devices import free_memory, load_torch
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


@pytest.mark.parametrize(("dtype", "most", "mean"), [("float32", LIMITS["mel"], 1), ("bfloat16", 1, BFLOAT16_MEL)])
def test_streamed_pieces_are_those_of_the_cpu(device, cosyvoice_folder, dtype, most, mean):
    """The only use of attention with a mask of chunks."""

    def mel(where, numbers):
        trace: dict = {}
        runtime = cosyvoice.load(cosyvoice_folder, where, numbers)
        list(runtime.speak(iter(range(120)), voice(), steps=2, stream=True, trace=trace))
        return trace["mel"]

    apart = (mel(device, dtype) - mel("cpu", "float32")).abs()
    assert apart.max() <= most
    assert apart.mean() <= mean


def decode(runtime):
    """Logits of 300 forced steps."""
    kept: list[torch.Tensor] = []
    list(runtime.language_model.generate(TEXT, PROMPT, ForcedTokens(list(range(300))), 0, 300, kept))
    return torch.stack(kept)


def test_decoding_is_by_graphs(runtime):
    decode(runtime)
    assert runtime.language_model.by_graphs is not None, "torch has no graphs for this device"
    assert not runtime.language_model.by_graphs.given_up


def test_decoding_by_graphs_is_decoding_eager(runtime, monkeypatch):
    replayed = decode(runtime)
    monkeypatch.setattr(runtime.language_model, "by_graphs", None)
    assert (replayed - decode(runtime)).abs().max() <= LIMITS["logits"]


def test_graphs_are_captured_beside_another_threads_work(device, cosyvoice_folder):
    runtime = cosyvoice.load(cosyvoice_folder, device, "float32")
    if runtime.language_model.by_graphs is None:
        pytest.skip("torch has no graphs for this device")
    with somebody_else_at_work(device) as done:
        decode(runtime)
    assert done
    assert not runtime.language_model.by_graphs.given_up


@contextmanager
def somebody_else_at_work(device: str) -> Iterator[list[float]]:
    """Results of a thread that computes, fetches, frees and hands memory back on `device` until the end."""
    done: list[float] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            square = torch.eye(512, device=device)
            done.append(float((square @ square).cpu().sum()))
            free_memory()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def test_another_card_decodes_the_same(device, runtime, cosyvoice_folder):
    last = torch.accelerator.device_count() - 1
    if not last:
        pytest.skip("this machine has one card")
    other = cosyvoice.load(cosyvoice_folder, f"{device.split(':')[0]}:{last}", "float32")
    assert (decode(other) - decode(runtime)).abs().max() <= LIMITS["logits"]
    by_graphs = other.language_model.by_graphs
    assert by_graphs is None or not by_graphs.given_up


def test_an_unloaded_model_leaves_no_memory_taken(device, cosyvoice_folder):
    module = torch.get_device_module(device)

    def taken_after_use():
        decode(cosyvoice.load(cosyvoice_folder, device, "float32"))
        free_memory()
        return module.memory_allocated(device), module.memory_reserved(device)

    taken_after_use()  # what libraries keep for themselves
    before = taken_after_use()
    assert all(now <= then for now, then in zip(taken_after_use(), before, strict=True))


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_seed_gives_the_same_samples(runtime, stream):
    def say(seed):
        tokens = runtime.language_model.generate(TEXT, PROMPT, RepetitionAwareSampler(seed), 90, 90)
        return np.concatenate(list(runtime.speak(tokens, voice(), steps=2, stream=stream)))

    first = say(3)
    assert not np.array_equal(say(4), first)
    np.testing.assert_array_equal(say(3), first)
