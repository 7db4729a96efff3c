"""The runtime computes what the reference implementation computes: against the parity kit in tests/cosyvoice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from webui.engines import cosyvoice

from .conftest import KIT

TEXT = "今天天气很好，我的朋友Tom从远方寄来[h][ào]礼物。"
PROMPT_TEXT = "您好，这里是市民服务热线，很高兴为您服务。"


def synthesize(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Our tensors and the reference's for the synthetic prompt."""
    reference = dict(np.load(KIT / "synthetic_prompt.npz"))
    prompt, rate = soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")
    trace: dict[str, Any] = {}
    cosyvoice.load(folder, "cpu", "float32").synthesize(
        TEXT,
        prompt,
        rate,
        PROMPT_TEXT,
        mode="zero_shot",
        instruct="",
        forced_tokens=reference["gen_token"][0].tolist(),
        source_noise=np.load(KIT / "synthetic_prompt_noise.npy"),
        trace=trace,
    )
    return {name: np.asarray(value) for name, value in trace.items()}, reference


@pytest.fixture(scope="module", params=["parametrizations", "weight_g"])
def both(request: pytest.FixtureRequest, cosyvoice_folder: Path, cosyvoice_folder_old_keys: Path) -> tuple:
    return synthesize(cosyvoice_folder if request.param == "parametrizations" else cosyvoice_folder_old_keys)


@pytest.mark.parametrize("name", ["text_ids", "prompt_text_ids", "prompt_token_raw", "flow_prompt_token", "gen_token"])
def test_ids_and_tokens_are_equal(both, name):
    ours, reference = both
    np.testing.assert_array_equal(ours[name], reference[name])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("wav16k", 1e-6),
        ("whisper_mel", 1e-5),
        ("fbank", 1e-5),
        ("prompt_feat_raw", 1e-5),
        ("flow_prompt_feat", 1e-5),
        ("spk_emb", 1e-5),
        ("logits", 1e-4),
        ("mu", 1e-4),
        ("mel", 1e-3),
        ("f0", 1e-3),
        ("source", 1e-5),
        ("hift_wav", 1e-3),
        ("speech", 1e-3),
    ],
)
def test_tensors_are_within_their_limits(both, name, limit):
    ours, reference = both
    got = ours[name][: len(reference[name])]  # the reference kept the first 40 steps of the logits
    assert got.shape == reference[name].shape
    assert np.abs(got - reference[name]).max() <= limit


def test_the_flows_noise_is_the_references(cosyvoice_folder):
    flow = cosyvoice.load(cosyvoice_folder).flow
    np.testing.assert_array_equal(flow.noise[0, :, :64], np.load(KIT / "synthetic_prompt.npz")["rand_noise_head"])
