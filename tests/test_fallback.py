"""Jobs on devices that fail: on two small simulated cards every job ends `done`, and its row tells what happened."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import pytest

from tests.devices_kit import in_child
from webui.devices.faults import Fault, fault_in
from webui.errors import UserError

ALL = 20
FIRST = 8  # segments in the batch before the trouble


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    if shutil.which("g++") is None:
        pytest.skip("g++ is missing: no simulated NPU")
    found: Mapping[str, Any] = in_child("tests.devices_child", tmp_path_factory.mktemp("jobs"))
    return found


def warned(case: Mapping[str, Any]) -> list[str]:
    return [f"{code} {params['device']}" for code, params in case["warnings"]]


def test_every_job_is_done_with_every_segment_as_on_the_cpu(cases: Mapping[str, Any]) -> None:
    assert len(cases) == 9 and len(cases["cpu"]["texts"]) == ALL
    for name, case in cases.items():
        assert (case["state"], case["error"], set(case["states"])) == ("done", None, {"done"}), name
        assert [float(text) for text in case["texts"]] == pytest.approx([float(t) for t in cases["cpu"]["texts"]]), name


def test_a_sound_card_does_it_all_and_is_named(cases: Mapping[str, Any]) -> None:
    case = cases["sound"]
    assert (case["devices"], set(case["on"]), case["warnings"]) == ({"transcribe": "npu:0"}, {"npu:0"}, [])


def test_memory_that_runs_out_once_costs_a_second_try(cases: Mapping[str, Any]) -> None:
    case = cases["memory once"]
    assert set(case["on"]) == {"npu:0"} and [size for size, _ in case["batches"]] == [8, 8, 8, 4]


def test_a_batch_that_does_not_fit_is_halved_until_it_does(cases: Mapping[str, Any]) -> None:
    case = cases["memory for little"]
    assert [size for size, _ in case["batches"]] == [8, 8, 8, 4, 4, 4]
    assert set(case["on"]) == {"npu:0"} and case["warnings"] == []


def test_a_segment_that_does_not_fit_alone_goes_to_the_cpu(cases: Mapping[str, Any]) -> None:
    case = cases["memory for nothing"]
    assert case["on"] == ["npu:0"] * FIRST + ["cpu"] * (ALL - FIRST)
    assert (case["devices"], warned(case)) == ({"transcribe": "npu:0, cpu"}, ["MEMORY_FELL_BACK npu:0"])


def test_an_operator_that_is_missing_moves_the_model_to_the_cpu(cases: Mapping[str, Any]) -> None:
    case = cases["operator"]
    assert case["on"] == ["npu:0"] * FIRST + ["cpu"] * (ALL - FIRST)
    assert case["refused"] == [["listener", "aten::relu"]] and case["lost"] == {}
    assert case["warnings"][0][1]["operator"] == "aten::relu"


def test_a_device_error_is_tried_once_more(cases: Mapping[str, Any]) -> None:
    case = cases["error once"]
    assert (set(case["on"]), warned(case), case["lost"]) == ({"npu:0"}, ["DEVICE_RETRIED npu:0"], {})
    assert case["warnings"][0][1]["detail"] == "507018"


def test_a_card_that_fails_again_is_given_up_for_another(cases: Mapping[str, Any]) -> None:
    case = cases["error twice"]
    assert case["on"] == ["npu:0"] * FIRST + ["npu:1"] * (ALL - FIRST) and list(case["lost"]) == ["npu:0"]
    assert warned(case) == ["DEVICE_RETRIED npu:0", "DEVICE_LOST npu:0"]


def test_when_every_card_is_lost_the_cpu_goes_on(cases: Mapping[str, Any]) -> None:
    case = cases["error for ever"]
    assert case["on"] == ["npu:0"] * FIRST + ["cpu"] * (ALL - FIRST) and set(case["lost"]) == {"npu:0", "npu:1"}
    assert "DEVICE_LOST npu:1" in warned(case)


def raised_from(cause: Exception) -> Exception:
    error = UserError("MODEL_BROKEN", model="m", reason="RuntimeError")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (MemoryError(), Fault("memory")),
        (RuntimeError("CUDA error: out of memory"), Fault("memory")),
        (RuntimeError("NPU out of memory. Tried to allocate 2.00 GiB"), Fault("memory")),
        (
            NotImplementedError("Could not run 'aten::_fft_r2c' with arguments from"),
            Fault("operator", "aten::_fft_r2c"),
        ),
        (RuntimeError("EZ3002: unsupported op type [Foo]"), Fault("operator", "EZ3002")),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Fault("device", "CUDA error")),
        (RuntimeError("ERR00100 PTA call acl api failed"), Fault("device", "ERR00100")),
        (raised_from(RuntimeError("aclrtSynchronizeStream failed: 507018")), Fault("device", "507018")),
        (NotImplementedError("no such language"), None),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), None),
        (UserError("PROMPT_TOO_SHORT", seconds=1, least=3), None),
    ],
)
def test_what_an_exception_says_about_the_device(error: Exception, fault: Fault | None) -> None:
    assert fault_in(error) == fault
