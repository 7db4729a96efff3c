"""Devices on a machine without accelerators: what is offered, what is explained, what is chosen."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from webui import devices
from webui.devices import Device, probing, vendors
from webui.errors import Notice, UserError, codes

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vendors, "DEV", tmp_path)
    return tmp_path


def offer(monkeypatch: pytest.MonkeyPatch, *found: Device) -> None:
    for module in (devices, probing):
        monkeypatch.setattr(module, "probe", lambda load=True: list(found))


CPU = Device("cpu", "cpu", "CPU")
NPU = Device("npu:0", "npu", "Ascend NPU")
SICK = Device("npu:0", "npu", "Ascend NPU", usable=False, problem=Notice("NPU_NO_CANN", {"library": "libhccl.so"}))


def test_the_cpu_is_always_there_and_last(dev: Path) -> None:
    cpu = devices.probe()[-1]
    assert (cpu.id, cpu.usable, cpu.problem) == ("cpu", True, None)
    assert cpu.memory_total and cpu.memory_free and 0 < cpu.memory_free <= cpu.memory_total


def test_a_quick_look_does_not_import_torch() -> None:
    code = "import sys; from webui.devices import probe; probe(load=False); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_driver_files_without_the_plugin_are_explained(dev: Path) -> None:
    (dev / "davinci0").touch()
    (dev / "davinci_manager").touch()
    for load in (True, False):
        npu = next(device for device in devices.probe(load) if device.kind == "npu")
        assert not npu.usable and npu.problem is not None and npu.problem.code == "PLUGIN_MISSING"
        assert "torch_npu" in npu.problem.worded("zh").message and "davinci0" in npu.problem.worded("en").message


def test_a_gpu_beside_a_cpu_build_of_torch_is_explained(dev: Path) -> None:
    if devices.load_torch().version.cuda:
        pytest.skip("this torch is a CUDA build")
    (dev / "nvidia0").touch()
    gpu = next(device for device in devices.probe() if device.kind == "cuda")
    assert gpu.problem is not None and gpu.problem.code == "TORCH_IS_CPU"
    assert "requirements-cuda.txt" in gpu.problem.worded("en").hint


def test_without_torch_the_cpu_says_so(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    (only,) = devices.probe()
    assert only.usable and only.problem == Notice("TORCH_MISSING")


def test_auto_takes_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, NPU, CPU)
    assert devices.resolve("auto") == ("npu:0", None)


def test_auto_falls_back_to_the_cpu_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, SICK, CPU)
    assert devices.resolve("auto") == ("cpu", SICK.problem)


def test_a_kind_means_its_first_card(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, NPU, Device("npu:1", "npu", "Ascend NPU"), CPU)
    assert devices.resolve("npu").device == "npu:0"
    assert devices.resolve("npu:1").device == "npu:1"


def test_a_kind_whose_first_card_is_sick_means_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, SICK, Device("npu:1", "npu", "Ascend NPU"), CPU)
    assert devices.resolve("npu").device == "npu:1" and devices.cards("npu") == ["npu:1"]
    with pytest.raises(UserError):
        devices.resolve("npu:0")


@pytest.mark.parametrize(("name", "says"), [("npu", "libhccl.so"), ("cuda:0", "cpu"), ("gpu", "cpu")])
def test_what_cannot_be_used_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    offer(monkeypatch, SICK, CPU)
    with pytest.raises(UserError) as refused:
        devices.resolve(name)
    assert refused.value.code == "DEVICE_UNAVAILABLE"
    for language in ("zh", "en"):
        assert says in refused.value.notice.worded(language).message


def test_a_plugin_that_breaks_is_as_if_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin.py").write_text("raise OSError('libvendor.so.2: cannot open shared object file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "libvendor.so.2" in probing._import_or_hide("broken_plugin")
    assert importlib.util.find_spec("broken_plugin") is None
    del sys.modules["broken_plugin"]


def test_attention_is_not_planned_anew_for_each_length() -> None:
    assert not devices.load_torch().backends.cuda.cudnn_sdp_enabled()


def test_every_reason_has_its_wording() -> None:
    for code in (
        "TORCH_MISSING TORCH_BROKEN TORCH_IS_CUDA TORCH_IS_CPU NPU_NO_CANN PLUGIN_MISSING PLUGIN_FAILED NO_CARD "
        "DEVICE_FAILS DEVICE_SILENT NO_SUCH_DEVICE"
    ).split():
        assert code in codes()
        assert Notice(code).worded("zh").message != Notice(code).worded("en").message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("NPU out of memory. Tried to allocate 64.00 MiB"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_recognised(error: Exception, expected: bool) -> None:
    assert devices.is_out_of_memory(error) is expected


def test_freeing_memory_returns_a_number_of_bytes() -> None:
    assert devices.free_memory() >= 0
