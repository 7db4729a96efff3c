"""`auto`: the accelerator unless it was measured slower than the CPU; several cards share the jobs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fake_engine
from tests.devices_kit import in_child
from tests.jobs_kit import open_store
from webui.hosting.calibration import Calibrations, Speeds, Stopped, measure, recognizing, speaking, synthetic_voice
from webui.hosting.key_value import InMemoryStore
from webui.settings import Settings
from webui.store.machine_facts import MachineFacts

HEARS, SPEAKS = fake_engine.models(Settings())


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    if shutil.which("g++") is None:
        pytest.skip("g++ is missing: no simulated NPU")
    found: Mapping[str, Any] = in_child("tests.calibration_child", tmp_path_factory.mktemp("calibration"))
    return found


def test_a_model_is_measured_when_it_first_meets_a_card_and_the_faster_device_works(cases: Mapping[str, Any]) -> None:
    case = cases["card faster"]
    assert set(case["on"]) == {"npu:0"} or set(case["on"]) == {"npu:1"}
    assert "cpu" in case["calls"] and "cpu" not in case["loaded"], "what was loaded for the trial is unloaded"
    assert "× real time; cpu: " in case["speeds"] and case["kept"]["there"] > case["kept"]["cpu"] > 0


def test_what_was_measured_is_kept_for_the_next_start(cases: Mapping[str, Any]) -> None:
    assert len(cases["card faster, known"]["calls"]) == 1 and cases["card faster, known"]["speeds"]
    assert "cpu" in cases["card faster, exchanged"]["calls"], "other weights are measured again"


def test_a_card_slower_than_the_cpu_is_left_alone(cases: Mapping[str, Any]) -> None:
    case = cases["cpu faster"]
    assert set(case["on"]) == {"cpu"} and case["devices"] == {"transcribe": "cpu"} and case["loaded"] == ["cpu"]


def test_who_names_a_device_gets_it(cases: Mapping[str, Any]) -> None:
    assert set(cases["cpu faster, card wanted"]["on"]) == {"npu:1"}
    assert set(cases["cpu faster, card in the settings"]["on"]) == {"npu:0"}
    assert set(cases["cpu wanted"]["on"]) == set(cases["cpu wanted"]["calls"]) == {"cpu"}
    assert cases["cpu wanted"]["kept"] is None


def test_a_measurement_ends_when_its_job_is_cancelled(cases: Mapping[str, Any]) -> None:
    case = cases["cancelled"]
    assert case["state"] == "cancelled" and len(case["calls"]) == 1 and set(case["states"]) == {"pending"}


def test_every_card_has_a_worker_and_they_share_the_jobs(cases: Mapping[str, Any]) -> None:
    case = cases["spread"]
    assert case["workers"] == ["work-cpu", "work-npu:0", "work-npu:1"]
    assert sorted(case["on"]) == ["npu:0", "npu:0", "npu:1", "npu:1"]


def never() -> bool:
    return False


def test_recognizers_and_synthesizers_are_measured_by_their_audio() -> None:
    assert measure(recognizing(fake_engine.FakeRecognizer("cpu"), never), never) > 10
    assert measure(speaking(fake_engine.FakeSynthesizer("cpu"), never), never) > 10


def test_what_is_clearly_slower_is_not_measured_twice() -> None:
    calls: list[int] = []

    class Slow(fake_engine.FakeRecognizer):
        def recognize(self, batch: Any, options: Any) -> Any:
            calls.append(1)
            return super().recognize(batch, options)

    trial = recognizing(Slow("cpu"), never)
    measure(trial, never, enough=1e12)
    assert len(calls) == 1
    with pytest.raises(Stopped):
        measure(trial, lambda: True)


def test_a_speed_is_shown_in_words() -> None:
    speeds = Speeds("npu:0", 38.04, 4.13)
    assert (str(speeds), speeds.cpu_wins) == ("npu:0: 38× real time; cpu: 4.1×", False)
    assert str(Speeds("npu:0", 120.4, 0.12)) == "npu:0: 120× real time; cpu: 0.12×"


def test_findings_outlive_the_process_and_other_versions_void_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Calibrations(MachineFacts(open_store(tmp_path / "history.db").database)).keep(HEARS, Speeds("npu:0", 2, 1))
    again = Calibrations(MachineFacts(open_store(tmp_path / "history.db").database))
    assert again.find(HEARS, "npu:1") == Speeds("npu:0", 2, 1) and again.find(HEARS, "cuda:0") is None
    monkeypatch.setattr("webui.hosting.calibration.versions", lambda: "torch 9")
    assert again.find(HEARS, "npu:0") is None


def test_a_model_made_faster_on_the_cpu_is_measured_anew() -> None:
    calibrations = Calibrations(InMemoryStore())
    calibrations.keep(SPEAKS, Speeds("npu:0", 3, 2))
    assert calibrations.find(replace(SPEAKS, optimised={"use": "int8", "errors": {}}), "npu:0") is None
    assert calibrations.find(replace(SPEAKS, optimised={"use": None, "errors": {}}), "npu:0") == Speeds("npu:0", 3, 2)


def test_a_memory_of_this_process_forgets_nothing_else() -> None:
    calibrations = Calibrations(InMemoryStore())
    calibrations.keep(SPEAKS, Speeds("cuda:0", 3, 1))
    assert calibrations.find(SPEAKS, "cuda:0") == Speeds("cuda:0", 3, 1) and calibrations.find(HEARS, "cuda:0") is None


def test_the_trial_sounds_like_something() -> None:
    assert synthetic_voice(4.0).shape == (64_000,) and 0.01 < abs(synthetic_voice(4.0)).mean() < 0.5
