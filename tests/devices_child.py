"""Run by test_fallback.py in a process of its own: jobs on two small simulated cards that fail in every way.

    python -m tests.devices_child FOLDER

Prints one JSON object: case → what became of the job.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.devices_kit import Listener, ServerFolder, house, listener
from webui import devices
from webui.engines.base import Recognition, RecognitionOptions, Waveform

SEGMENTS = 20


def main(folder: Path) -> dict[str, Any]:
    devices.load_torch()
    import sim_npu

    cases: dict[str, tuple[str, Callable[[], object]]] = {
        "cpu": ("cpu", lambda: None),
        "sound": ("npu:0", lambda: None),
        "memory once": ("npu:0", lambda: sim_npu.oom_after(3)),
        "memory for little": ("npu:0", lambda: sim_npu.reset(devices=2, memory_mb=1)),
        "memory for nothing": ("npu:0", lambda: sim_npu.out_of_memory("aten::relu", times=10_000)),
        "operator": ("npu:0", lambda: sim_npu.unsupported("aten::relu")),
        "error once": ("npu:0", lambda: sim_npu.fail("aten::relu", "507018 aicore exception", times=1)),
        "error twice": ("npu:0", lambda: sim_npu.fail("aten::relu", "507018 aicore exception", times=2)),
        "error for ever": ("npu:0", lambda: sim_npu.fail("aten::relu", "507018 aicore exception", times=10_000)),
    }
    found = {}
    for number, (name, (device, spoil)) in enumerate(cases.items()):
        sim_npu.reset(devices=2, memory_mb=16)
        found[name] = case(folder / str(number), device, spoil)
    sim_npu.reset(devices=2, memory_mb=16)
    return found


def case(folder: Path, device: str, spoil: Callable[[], object]) -> dict[str, Any]:
    """A job in whose second batch the trouble begins."""
    batches = []

    class Troubled(Listener):
        def recognize(self, batch: Sequence[Waveform], options: RecognitionOptions) -> list[Recognition]:
            batches.append([len(batch), self.device])
            if len(batches) == 2:
                spoil()
            return super().recognize(batch, options)

    with house(folder, device=device, model=listener(Troubled)) as opened:
        job = opened.planned(SEGMENTS)
        opened.runner.start()
        ended = opened.ended(job)
        return ended | {"batches": batches} | after(opened)


def after(opened: ServerFolder) -> dict[str, Any]:
    """What is known of the devices afterwards."""
    placement = opened.host.placement
    lost = {device: [why.code, dict(why.params)] for device, why in placement.lost().items()}
    return {"lost": lost, "refused": [[each.model, each.operator] for each in placement.refusals()]}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), ensure_ascii=False))
