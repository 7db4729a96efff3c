"""The runtime computes what the reference implementation computes: against the parity kit in tests/cosyvoice.

In a process of its own, with MKL told to round as it does on every processor. Its FFT for newer ones rounds otherwise,
which the logarithm of a nearly silent band shows: up to 1e-3 in the filter banks, in the reference as well as here.
The vocoder's sound is compared from the reference's mel: its phase adds up the last bits of the pitch along a sentence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webui.engines import cosyvoice
from webui.engines.cosyvoice.tokenizer import TextTokenizer

from .conftest import KIT
from .reference_cases import CASES

EQUAL = ("text_ids", "prompt_text_ids", "prompt_token_raw", "flow_prompt_token", "gen_token", "chunks")
LIMITS = dict.fromkeys(EQUAL, 0) | {
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
    "vocoder f0": 1e-3,
    "vocoder source": 1e-5,
    "vocoder hift_wav": 1e-3,
    "vocoder speech": 1e-3,
    "vocoder chunks": 0,
}
ALWAYS = {"text_ids", "gen_token", "flow_prompt_feat", "spk_emb", "mu", "mel", "f0", "vocoder speech", "chunks"}


def differences(*arguments: str | Path) -> dict[str, dict[str, Any]]:
    """Request → tensor → how far ours is from the reference's."""
    command = [sys.executable, str(Path(__file__).with_name("parity_child.py")), *map(str, arguments)]
    environment = os.environ | {"MKL_CBWR": "COMPATIBLE"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def beyond(found: dict[str, Any]) -> dict[str, Any]:
    """What is farther off than its limit."""
    assert found.keys() >= ALWAYS
    compared = {name: value for name, value in found.items() if name in LIMITS}
    return {name: value for name, value in compared.items() if isinstance(value, str) or value > LIMITS[name]}


@pytest.fixture(scope="module")
def found(cosyvoice_folder: Path) -> dict[str, dict[str, Any]]:
    return differences(cosyvoice_folder)


@pytest.mark.parametrize("request_name", ["zero-shot", *CASES])
def test_every_tensor_is_within_its_limit(found, request_name):
    assert beyond(found[request_name]) == {}


def test_nothing_is_left_out(found):
    """Of the kit's own zero-shot request every tensor is compared; logits in every mode but conversion."""
    assert found["zero-shot"].keys() >= LIMITS.keys()
    assert [name for name, case in CASES.items() if "logits" in found[name]] == [
        name for name, case in CASES.items() if case.mode != "convert"
    ]


def test_weight_norm_in_the_old_style_is_within_the_limits_too(cosyvoice_folder_old_keys):
    report = differences(cosyvoice_folder_old_keys)
    assert {name: beyond(one) for name, one in report.items()} == {name: {} for name in ["zero-shot", *CASES]}


def test_a_persons_prompt_is_within_the_limits_too(shared, cosyvoice_folder):
    """Its recording is not in the repository."""
    kit = shared / "parity" / "cosyvoice3" / "zero_shot"
    prompt = shared / "eval" / "speech" / "zh" / "FunAudioLLM+CosyVoice__zero_shot_prompt.wav"
    report = differences(cosyvoice_folder, kit, prompt, "希望你以后能够做的比我还好呦。")
    assert beyond(report["zero-shot"]) == {}


def test_texts_have_the_references_ids(cosyvoice_folder):
    """Scripts, marks, near-marks, emoji, combining letters, control characters and runs of space."""
    tokenizer = TextTokenizer(cosyvoice_folder)
    expected = json.loads((KIT / "texts.json").read_text(encoding="utf-8"))
    assert [tokenizer.encode(text) for text, _ in expected] == [ids for _, ids in expected]
    assert len(expected) > 100


def test_the_flows_noise_is_the_references(cosyvoice_folder):
    flow = cosyvoice.load(cosyvoice_folder).flow
    np.testing.assert_array_equal(flow.noise[0, :, :64], np.load(KIT / "synthetic_prompt.npz")["rand_noise_head"])
