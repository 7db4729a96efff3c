"""Whoever sends a poor prompt with a text to read is told with the job what is wrong with it."""

from __future__ import annotations

import io
import json

import httpx
import numpy as np
import soundfile

from tests.api_kit import finish, prompt, submit, wav_of

CONSENT = json.dumps({"basis": "self", "subject": "张三"})


def warned(client: httpx.Client, recording: bytes) -> list[str]:
    sent = submit(client, ("p.wav", recording), kind="speak", consent=CONSENT, params=json.dumps({"text": "您好。"}))
    return [warning["code"] for warning in finish(client, sent.json()["jobs"][0]["id"])["warnings"]]


def test_a_noisy_prompt_is_said_on_the_job(client: httpx.Client) -> None:
    clean, rate = soundfile.read(io.BytesIO(prompt()), dtype="float32")
    noise = np.random.default_rng(0).normal(0, 0.1 * np.abs(clean).max(), len(clean)).astype(np.float32)
    assert "PROMPT_NOISY" not in warned(client, prompt())
    assert "PROMPT_NOISY" in warned(client, wav_of(clean + noise, rate))
