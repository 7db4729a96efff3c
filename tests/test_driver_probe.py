"""Drivers and cards that never answer: told in time, and the rest goes on. The vendor's own calls hang."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import TimeoutError
from pathlib import Path
from typing import Any

import pytest

from tests.devices_kit import simulator
from webui.devices import driver_probe
from webui.devices.driver_probe import DriverProbe, TimedCall
from webui.errors import Notice

TESTS = Path(__file__).resolve().parent
SIMULATOR = TESTS / "sim_npu"
HANG = "import ctypes\nhang = lambda: ctypes.PyDLL(None).sleep(100_000)  # with Python's lock held\n"
CARD = """
import torch
to = torch.Tensor.to
def transferred(tensor, *given, **options):
    if given and str(given[0]) == 'npu:1':
        {trouble}
    return to(tensor, *given, **options)
torch.Tensor.to = transferred
"""

simulated = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: no simulated NPU")


def vendor(folder: Path, code: str, cards: bool = True) -> dict[str, str]:
    """The environment in which torch_npu is `code`, with the simulated cards or with none."""
    package = folder / "torch_npu"
    package.mkdir()
    real = (SIMULATOR / "site" / "torch_npu" / "__init__.py").read_text("utf-8") if cards else ""
    real = real.replace("Path(__file__).parents[2]", repr(str(SIMULATOR)))
    (package / "__init__.py").write_text(real + HANG + code, "utf-8")
    path = os.pathsep.join([str(TESTS.parent), str(folder), *(simulator()[1:] if cards else [])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "SIM_NPU_DEVICES": "3"}


def run(environment: dict[str, str], code: str) -> Any:
    """What `code` prints as JSON; whoever does not answer for 8 seconds is not waited for."""
    begin = (
        "import json\nfrom webui import devices\n"
        "from webui.devices import driver_probe\ndriver_probe.ANSWER_S = driver_probe.BEGIN_S = 8\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", begin + code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


SHOW = "[[one.id, one.usable, one.problem and one.problem.worded('en').message] for one in devices.probe()]"


def test_a_driver_that_never_answers_is_named_and_the_cpu_computes(tmp_path: Path) -> None:
    shown, again, chosen, computed, expected = run(
        vendor(tmp_path, "hang()", cards=False),
        "import time\n"
        f"shown = {SHOW}\n"
        "began = time.monotonic(); devices.probe(); devices.free_memory(); again = time.monotonic() - began\n"
        "torch = devices.load_torch()\n"
        "from transformers import Qwen2ForCausalLM\n"
        "print(json.dumps([shown, again, devices.resolve(), (torch.ones(2, 2) @ torch.ones(2, 2)).sum().item(),\n"
        "      [one.id for one in devices.probe(load=False)]], default=lambda reason: reason.stored()))",
    )
    assert shown[0] == ["npu:0", False, "the driver or the card has not answered for 8 s"]
    assert shown[1][:2] == ["cpu", True] and again < 1 and expected == ["npu:0", "cpu"]
    assert chosen == ["cpu", {"code": "DEVICE_SILENT", "params": {"seconds": 8}}] and computed == 8


@simulated
@pytest.mark.parametrize(("trouble", "says"), [("hang()", "8 s"), ("os.kill(os.getpid(), 11)", "Segmentation fault")])
def test_of_several_cards_only_the_one_that_does_not_answer_is_set_aside(
    tmp_path: Path, trouble: str, says: str
) -> None:
    environment = vendor(tmp_path, CARD.format(trouble=trouble))
    shown, computed, asked = run(
        environment,
        "torch = devices.load_torch()\n"
        "ask, asked = torch.npu.mem_get_info, []\n"
        "torch.npu.mem_get_info = lambda card: asked.append(card) or ask(card)\n"
        f"shown = {SHOW}\n"
        "devices.free_memory()\n"
        "print(json.dumps([shown, torch.ones(3).to('npu:2').sum().item(), sorted(set(asked))]))",
    )
    assert [(card, usable) for card, usable, _ in shown] == [
        ("npu:0", True),
        ("npu:1", False),
        ("npu:2", True),
        ("cpu", True),
    ]
    assert says in shown[1][2] and computed == 3 and asked == ["npu:0", "npu:2"]


@simulated
def test_a_card_that_dies_later_costs_one_wait_and_comes_back(tmp_path: Path) -> None:
    found = run(
        vendor(tmp_path, ""),
        "import threading, time\n"
        "devices.probe()\n"
        "driver_probe.ANSWER_S = driver_probe.BEGIN_S = 1\n"
        "import torch\n"
        "ask, back = torch.npu.mem_get_info, threading.Event()\n"
        "torch.npu.mem_get_info = lambda device: back.wait() and ask(device) if device == 'npu:1' else ask(device)\n"
        "found = []\n"
        "for _ in range(2):\n"
        "    began = time.monotonic()\n"
        "    found.append([[one.usable for one in devices.probe()], time.monotonic() - began])\n"
        "back.set()\n"
        "time.sleep(0.5)\n"
        "found.append([[one.usable for one in devices.probe()], 0])\n"
        "print(json.dumps(found))",
    )
    assert [usable for usable, _ in found] == [[True, False, True, True]] * 2 + [[True] * 4]
    assert 0.9 < found[0][1] < 5 and found[1][1] < 0.9


def test_a_driver_probe_tells_its_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_probe, "ANSWER_S", 1.0)
    monkeypatch.setattr(driver_probe, "BEGIN_S", 1.0)
    say = "from webui.devices.driver_probe import say\nprint('a greeting of the driver')\nsay('torch'); say('driver')\n"
    assert DriverProbe(say).steps() == ("driver", None)
    assert DriverProbe(say + "raise SystemExit(1)").steps() == ("driver", None)
    assert DriverProbe(say + "import time; time.sleep(99)").steps() == (
        "driver",
        Notice("DEVICE_SILENT", {"seconds": 1}),
    )
    assert DriverProbe(say + "say('0')\nimport os; os.abort()").steps() == (
        "0",
        Notice("DEVICE_FAILS", {"detail": "Aborted"}),
    )
    ended = say + "say('0'); say('done')\n"
    assert DriverProbe(ended + "import os; os.abort()").steps() == ("done", None)
    assert DriverProbe(ended + "import time; time.sleep(99)").steps() == ("done", None)


def test_a_call_that_hangs_is_made_once_however_many_ask() -> None:
    calls: list[int] = []
    release = threading.Event()

    def call() -> int:
        calls.append(1)
        release.wait()
        return len(calls)

    patient = TimedCall(call)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            patient.ask(0.3)
    assert time.monotonic() - began < 2 and len(calls) == 1
    release.set()
    assert patient.ask(5) in (1, 2)


def test_what_a_call_raises_is_raised_to_who_asks() -> None:
    def call() -> None:
        raise KeyError("npu")

    with pytest.raises(KeyError):
        TimedCall(call).ask(5)
