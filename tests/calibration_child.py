"""Run by test_calibration.py in a process of its own: `auto` on two simulated cards with a model of settable speeds.

    python -m tests.calibration_child FOLDER

Prints one JSON object: case → what became of the job, and what is known afterwards.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.devices_kit import HEARS, Listener, ServerFolder, house
from webui import devices
from webui.engines.base import Model, Recognition, RecognitionOptions, RecognizerModel, Waveform
from webui.store.machine_facts import MachineFacts


def paced(calls: list[str], npu: float, cpu: float, revision: str = "1") -> Model:
    """A model that takes so many seconds a call on each device."""

    class Paced(Listener):
        def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
            calls.append(self.device)
            time.sleep(cpu if self.device == "cpu" else npu)
            return super().recognize(batch, options)

    return RecognizerModel("listener", "test", revision, HEARS, Paced, device_kinds=("any",))


def case(folder: Path, npu: float, cpu: float, *, device: str = "auto", wish: str = "auto", **given: Any) -> Any:
    calls: list[str] = []
    model = paced(calls, npu, cpu, **given)
    with house(folder, device=device, model=model, memory=True) as opened:
        job = opened.planned(4, device=wish)
        opened.runner.start()
        ended = opened.ended(job)
        speeds = opened.host.calibrations.find(model, "npu:0")
        loaded = [loaded.device for loaded in opened.host.loaded()]
        return ended | {"calls": calls, "speeds": str(speeds or ""), "loaded": loaded, "kept": kept(opened)}


def kept(opened: ServerFolder) -> Any:
    return MachineFacts(opened.store.database).load("speed recognizer listener npu")


def cancelled(folder: Path) -> Any:
    """Cancelled while it is measured."""
    calls: list[str] = []
    with house(folder, model=paced(calls, 0.5, 0.5)) as opened:
        job = opened.planned(4)
        opened.runner.start()
        while not calls:
            time.sleep(0.01)
        opened.store.jobs.request_cancel(job.owner_id, job.uid)
        return opened.ended(job) | {"calls": calls}


def spread(folder: Path) -> Any:
    """Four jobs that wait for each other in pairs: only two workers can end them."""
    both = threading.Barrier(2, timeout=30)

    class Paired(Listener):
        def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
            both.wait()
            return super().recognize(batch, options)

    model = dataclasses.replace(paced([], 0, 0), load=Paired)
    with house(folder, device="npu", model=model) as opened:
        jobs = [opened.planned(2) for _ in range(4)]
        opened.runner.start()
        workers = lambda: {thread.name for thread in opened.runner.activity() if thread.name.startswith("work")}  # noqa: E731
        ended = [opened.ended(job) for job in jobs]
        return {"on": [job["devices"]["transcribe"] for job in ended], "workers": sorted(workers())}


def main(folder: Path) -> dict[str, Any]:
    devices.load_torch()
    import sim_npu

    sim_npu.reset(devices=2, memory_mb=64)
    return {
        "card faster": case(folder / "a", 0.01, 0.2),
        "card faster, known": case(folder / "a", 0.01, 0.2),
        "card faster, exchanged": case(folder / "a", 0.01, 0.2, revision="2"),
        "cpu faster": case(folder / "b", 0.2, 0.01),
        "cpu faster, card wanted": case(folder / "b", 0.2, 0.01, wish="npu:1"),
        "cpu faster, card in the settings": case(folder / "b", 0.2, 0.01, device="npu:0"),
        "cpu wanted": case(folder / "c", 0.01, 0.2, wish="cpu"),
        "cancelled": cancelled(folder / "d"),
        "spread": spread(folder / "e"),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), ensure_ascii=False))
