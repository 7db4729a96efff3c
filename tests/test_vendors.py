"""One row of the table of vendors is all that the rest of the program needs of a new kind of device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEW_ROW = """
import json, os
from types import SimpleNamespace
from webui.devices import vendors
prepared = []
row = vendors.Vendor(
    "quux", "Quux card", driver_files=("/proc/version",), hide="QUUX_VISIBLE", prepare=prepared.append,
    faults=r"\\bQUUX(?: \\w+)? error\\b", refusals=r"QX1001", half=False, simulated=True,
)
vendors.VENDORS += (row,)
vendors.BY_KIND["quux"] = row
import torch
from webui.devices import Device, probing
from webui.devices.faults import fault_in
from webui.engines.cosyvoice import precision
from webui.hosting import calibration
from webui.service.device_table import _tested
probing._with_plugins(torch)
probing._keep_away()
print(json.dumps({
    "prepared": prepared == [torch],
    "hidden": os.environ.get("QUUX_VISIBLE"),
    "fault": fault_in(RuntimeError("QUUX stream error: 7")).kind,
    "refusal": fault_in(RuntimeError("QX1001 aten::foo")).detail,
    "dtype": str(precision.best(SimpleNamespace(type="quux"))),
    "drivers": calibration._DRIVERS[-1],
    "tested": _tested(Device("quux:0", "quux", "Quux card")),
}))
"""


def test_a_row_tells_how_to_prepare_hide_and_understand_a_device() -> None:
    ran = subprocess.run([sys.executable, "-c", NEW_ROW], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert json.loads(ran.stdout or ran.stderr) == {
        "prepared": True,
        "hidden": "",
        "fault": "device",
        "refusal": "aten::foo",
        "dtype": "torch.float32",
        "drivers": "/proc/version",
        "tested": "TESTED_SIMULATOR",
    }
