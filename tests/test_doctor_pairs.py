"""`doctor` judges torch and torch-npu by their versions, before a model loads."""

from __future__ import annotations

import importlib.metadata

import pytest

from webui.cli import checks
from webui.settings import Settings


@pytest.mark.parametrize(
    ("torch", "npu", "state", "said"),
    [
        ("2.13.0+cpu", "2.13.0", "ok", "run on the simulator"),
        ("2.10.0", "2.10.0.post3", "note", "untested"),
        ("2.13.0+cpu", "2.10.0", "bad", "torch 2.10.0"),
        ("2.5.1", "2.5.1.post2", "bad", "2.6 or newer"),
    ],
)
def test_a_pair_of_versions_is_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, torch: str, npu: str, state: str, said: str
) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setattr(importlib.metadata, "version", {"torch": torch, "torch_npu": npu}.__getitem__)
    (line,) = checks._pair(settings)
    assert (line.state, said in line.text + line.hint) == (state, True)


def test_without_torch_npu_there_is_no_pair(settings: Settings) -> None:
    assert list(checks._pair(settings)) == []
