"""The code for Ascend on a simulated card, each case in a process of its own: a device once registered stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.devices_kit import simulator

TESTS = Path(__file__).resolve().parent
SIMULATOR = TESTS / "sim_npu"

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: no simulated NPU")


def run(code: str, site: str = "site", **environment: str) -> Any:
    """What `code` prints as JSON, with the simulated torch_npu installed."""
    path = os.pathsep.join([str(TESTS.parent), *simulator(site)])
    done = subprocess.run(
        [sys.executable, "-c", f"import json\nfrom webui import devices\n{code}"],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SHOW = (
    "found = [dict(vars(one), problem=one.problem and vars(one.problem.worded('en'))) for one in devices.probe()]\n"
    "print(json.dumps(found))"
)


@pytest.mark.slow
def test_the_simulator_does_what_it_says() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--confcutdir", str(SIMULATOR)]
    command += ["--rootdir", str(SIMULATOR), "-c", os.devnull, str(SIMULATOR / "checks.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:]


def test_two_cards_are_offered_and_compute() -> None:
    found = run(SHOW, SIM_NPU_DEVICES="2", SIM_NPU_MEMORY_MB="1024")
    assert [(device["id"], device["usable"]) for device in found] == [("npu:0", True), ("npu:1", True), ("cpu", True)]
    assert found[0]["memory_total"] == 1 << 30 and "910" in found[0]["name"]
    total = run(
        "torch = devices.load_torch(); device = devices.resolve('auto').device\n"
        "print(json.dumps([device, torch.ones(3, device=device).sum().item()]))"
    )
    assert total == ["npu:0", 3.0]


def test_a_quick_look_expects_a_card_where_its_plugin_is_installed() -> None:
    found = run("print(json.dumps([device.id for device in devices.probe(load=False)]))")
    assert found == ["npu:0", "cpu"]


def test_a_card_without_cann_is_explained_and_the_cpu_works() -> None:
    found = run(SHOW, site="site/no_cann")
    assert [(device["id"], device["usable"]) for device in found] == [("npu:0", False), ("cpu", True)]
    assert "libhccl.so" in found[0]["problem"]["message"] and "set_env.sh" in found[0]["problem"]["hint"]
    answer = run(
        "torch = devices.load_torch()\n"
        "from transformers import Qwen2ForCausalLM\n"
        "print(json.dumps([devices.resolve('auto').device, (torch.ones(2, 2) @ torch.ones(2, 2)).sum().item()]))",
        site="site/no_cann",
    )
    assert answer == ["cpu", 8.0]


def test_no_visible_card_is_explained() -> None:
    found = run(SHOW, SIM_NPU_DEVICES="0")
    assert [(device["id"], device["usable"]) for device in found] == [("npu:0", False), ("cpu", True)]
    problem = found[0]["problem"]
    assert "torch_npu" in problem["message"] and "ASCEND_RT_VISIBLE_DEVICES" in problem["hint"]


def test_a_card_that_fails_the_trial_is_not_chosen() -> None:
    found = run(
        "devices.load_torch(); import sim_npu\n"
        "sim_npu.fail('aten::mm', '507018 aicore exception')\n"
        "print(json.dumps([devices.resolve('auto').device, devices.probe()[0].problem.worded('zh').message]))"
    )
    assert found[0] == "cpu" and "507018" in found[1]


def test_memory_is_handed_back_and_running_out_is_recognised() -> None:
    freed, recognised = run(
        "torch = devices.load_torch()\n"
        "x = torch.empty(4 << 20, device='npu:0'); del x\n"
        "freed = devices.free_memory()\n"
        "try:\n    torch.empty(1 << 30, device='npu:0')\n"
        "except Exception as error:\n    print(json.dumps([freed, devices.is_out_of_memory(error)]))",
        SIM_NPU_MEMORY_MB="64",
    )
    assert freed >= 16 << 20 and recognised


def test_threads_that_ask_at_once_get_the_same_answer() -> None:
    found = run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    tables = list(pool.map(lambda _: [(one.id, one.usable) for one in devices.probe()], range(8)))\n"
        "print(json.dumps(tables))",
        site="site/no_cann",
    )
    assert found == [[["npu:0", False], ["cpu", True]]] * 8
