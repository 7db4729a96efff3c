"""The load test of benchmarks/load.py, small: everybody is answered, every accepted file is recognised once."""

from __future__ import annotations

from pathlib import Path

from benchmarks import load


def test_many_at_once_are_answered_and_every_file_is_recognised_once(tmp_path: Path) -> None:
    report = load.run(tmp_path / "data", archives=4, files=8, browsers=4, each=2)
    assert report["archives"]["answers"] == {"202": 4}
    assert report["browsers"]["answers"] == {"202": 8}
    assert set(report["reader"]["answers"]) == {"200"}
    assert (report["jobs"], report["heard"], report["heard_again"]) == ({"done": 41}, 41, 0)
