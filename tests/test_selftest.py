"""`doctor --self-test`: speech, detection and recognition on every device, and a device that fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.selftest.corpus import utterances
from webui.cli.application import main
from webui.devices import Device
from webui.engines.base import Model
from webui.hosting import selftest
from webui.settings import Settings

TESTS = Path(__file__).resolve().parent


def doctor(folder: Path, *site: Path, **environment: str) -> tuple[int, list[dict], str]:
    """Exit code, lines and complaints of the command, in a process of its own and an empty folder of models."""
    command = [sys.executable, str(TESTS.parent / "app.py"), "doctor", "--self-test"]
    options = ["--data", str(folder / "data"), "--models", str(folder / "none")]
    path = os.pathsep.join(map(str, site))
    given = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([*command, *options], env=given, capture_output=True, text=True, timeout=300)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_fresh_machine_reads_its_own_voice_on_the_cpu(tmp_path: Path) -> None:
    code, (line,), complaints = doctor(tmp_path)
    assert (code, line["device"], line["ok"], complaints) == (0, "cpu", True, "")
    assert set(line) == {"device", "cer", "rtf", "ok"} and line["cer"] <= 0.05 and line["rtf"] > 0


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: no simulated NPU")
def test_every_simulated_card_is_tried(tmp_path: Path) -> None:
    simulator = (TESTS / "sim_npu" / "site", TESTS / "sim_npu")
    code, lines, _ = doctor(tmp_path, *simulator, SIM_NPU_DEVICES="2")
    assert (code, [line["device"] for line in lines]) == (0, ["npu:0", "npu:1", "cpu"])
    assert all(line["ok"] and line["cer"] <= 0.05 for line in lines)


def test_a_device_that_fails_is_told_and_the_next_is_tried(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_model: Model, device: str, _segments: list) -> selftest.Outcome:
        if device == "npu:0":
            raise RuntimeError("507018 aicore exception")
        return selftest.Outcome(device, 0.01, 0.1)

    monkeypatch.setattr("webui.devices.probe", lambda: [Device("npu:0", "npu", "card"), Device("cpu", "cpu", "CPU")])
    monkeypatch.setattr(selftest, "_try", broken)
    monkeypatch.setattr(selftest, "_speak", lambda _settings: np.zeros(16000, np.float32))
    assert main(["doctor", "--self-test", "--data", str(settings.data)]) == 1
    shown = capsys.readouterr()
    assert [json.loads(line) for line in shown.out.splitlines()] == [
        {"device": "npu:0", "cer": None, "rtf": None, "ok": False},
        {"device": "cpu", "cer": 0.01, "rtf": 0.1, "ok": True},
    ]
    assert shown.err.strip() == "npu:0: RuntimeError: 507018 aicore exception"


def test_a_device_that_computes_nonsense_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = selftest._speak(settings)
    monkeypatch.setattr(selftest, "_speak", lambda _settings: samples)
    monkeypatch.setattr(selftest, "SENTENCES", ("他说了完全不同的一句话啊", *selftest.SENTENCES[1:]))
    (outcome,) = selftest.run(settings, "cpu")
    assert outcome.cer is not None and outcome.cer > 0.05 and not outcome.ok and outcome.problem is None


def test_the_sentences_are_held_out() -> None:
    trained = {item.plain for item in islice(utterances(seed=1), 6000)}
    assert not trained & set(selftest.SENTENCES) and len(set(selftest.SENTENCES)) >= 8


@pytest.mark.parametrize(
    ("heard", "spoken", "changes"), [("", "三字经", 3), ("甲乙丙", "甲丙", 1), ("甲乙", "甲丁", 1), ("同", "同", 0)]
)
def test_the_distance_counts_what_must_be_changed(heard: str, spoken: str, changes: int) -> None:
    assert selftest.distance(heard, spoken) == changes
