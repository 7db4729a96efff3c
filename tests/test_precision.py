"""The 16-bit format that an accelerator is given."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from webui.engines.cosyvoice import precision
from webui.engines.funasr import nano


@pytest.mark.parametrize(
    ("module", "half"),
    [
        (SimpleNamespace(), "bfloat16"),
        (SimpleNamespace(is_bf16_supported=lambda: True), "bfloat16"),
        (SimpleNamespace(is_bf16_supported=lambda: False), "float16"),
        (SimpleNamespace(is_bf16_supported=lambda including_emulation=True: including_emulation), "float16"),
        (SimpleNamespace(is_bf16_supported=lambda including_emulation=True: True), "bfloat16"),
    ],
)
def test_bfloat16_only_where_it_is_not_emulated(monkeypatch, module, half):
    module.device = lambda _device: nullcontext()
    monkeypatch.setattr(torch, "get_device_module", lambda _device: module)
    assert precision.best(torch.device("cuda:0")) == getattr(torch, half)
    assert nano._precision("cuda:0") == {"bfloat16": "bf16", "float16": "fp16"}[half]


def test_the_card_that_is_meant_is_asked(monkeypatch):
    entered = []
    module = SimpleNamespace(
        device=lambda device: entered.append(device) or nullcontext(), is_bf16_supported=lambda: True
    )
    monkeypatch.setattr(torch, "get_device_module", lambda _device: module)
    precision.best(torch.device("cuda:1"))
    assert entered == ["cuda:1"]
