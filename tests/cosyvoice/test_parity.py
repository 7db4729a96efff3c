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
TRANSCRIPT = "您好，这里是市民服务热线，很高兴为您服务。"
LIMITS = {
    "wav16k": 1e-6,
    "whisper_mel": 1e-5,
    "fbank": 1e-5,
    "prompt_feat_raw": 1e-5,
    "flow_prompt_feat": 1e-5,
    "spk_emb": 1e-5,
    "logits": 1e-4,
    "mu": 1e-4,
    "mel": 1e-3,
    "f0": 1e-3,
    "source": 1e-5,
    "hift_wav": 1e-3,
    "speech": 1e-3,
}


def synthesize(
    folder: Path, dump: Path = KIT / "synthetic_prompt", prompt: Path | None = None, transcript: str = TRANSCRIPT
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Our tensors and the reference's for a prompt (by default the synthetic one)."""
    reference = dict(np.load(dump.with_suffix(".npz")))
    samples, rate = soundfile.read(prompt or dump.with_suffix(".wav"), dtype="float32")
    trace: dict[str, Any] = {}
    cosyvoice.load(folder, "cpu", "float32").synthesize(
        TEXT,
        samples,
        rate,
        transcript,
        mode="zero_shot",
        instruct="",
        forced_tokens=reference["gen_token"][0].tolist(),
        source_noise=np.load(f"{dump}_noise.npy"),
        trace=trace,
    )
    return {name: np.asarray(value) for name, value in trace.items()}, reference


def difference(ours: dict[str, Any], reference: dict[str, np.ndarray], name: str) -> float:
    """The largest; the reference kept only the first 40 steps of the logits."""
    got = ours[name][: len(reference[name])]
    assert got.shape == reference[name].shape
    return float(np.abs(got - reference[name]).max())


@pytest.fixture(scope="module", params=["parametrizations", "weight_g"])
def both(request: pytest.FixtureRequest, cosyvoice_folder: Path, cosyvoice_folder_old_keys: Path) -> tuple:
    return synthesize(cosyvoice_folder if request.param == "parametrizations" else cosyvoice_folder_old_keys)


@pytest.mark.parametrize("name", ["text_ids", "prompt_text_ids", "prompt_token_raw", "flow_prompt_token", "gen_token"])
def test_ids_and_tokens_are_equal(both, name):
    ours, reference = both
    np.testing.assert_array_equal(ours[name], reference[name])


@pytest.mark.parametrize("name", LIMITS)
def test_tensors_are_within_their_limits(both, name):
    assert difference(*both, name) <= LIMITS[name]


def test_a_persons_prompt_is_within_the_limits_too(shared, cosyvoice_folder):
    """Its recording is not in the repository."""
    kit = shared / "parity" / "cosyvoice3"
    prompt = shared / "eval" / "speech" / "zh" / "FunAudioLLM+CosyVoice__zero_shot_prompt.wav"
    both = synthesize(cosyvoice_folder, kit / "zero_shot", prompt, "希望你以后能够做的比我还好呦。")
    assert {name: difference(*both, name) <= limit for name, limit in LIMITS.items()} == dict.fromkeys(LIMITS, True)


def test_the_flows_noise_is_the_references(cosyvoice_folder):
    flow = cosyvoice.load(cosyvoice_folder).flow
    np.testing.assert_array_equal(flow.noise[0, :, :64], np.load(KIT / "synthetic_prompt.npz")["rand_noise_head"])
