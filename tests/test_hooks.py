"""The hooks that a clone may set up: what they let through and what they refuse."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HOOKS = Path(__file__).resolve().parent.parent / ".githooks"


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("Keep a recording's last sample\n", True),
        ("修正" * 36 + "\n\nwhy\n", True),
        ("x" * 73 + "\n", False),
        ("修" * 73 + "\n", False),
        ("A subject\nthat goes on\n", False),
        ("A subject\n# a comment of git\n", True),
    ],
)
def test_a_subject_has_72_characters_at_most_and_a_line_of_its_own(
    tmp_path: Path, message: str, accepted: bool
) -> None:
    file = tmp_path / "message"
    file.write_text(message, "utf-8")
    ran = subprocess.run([HOOKS / "commit-msg", file], capture_output=True)
    assert (ran.returncode == 0) == accepted == (not ran.stderr)


def test_every_hook_can_be_run() -> None:
    hooks = list(HOOKS.iterdir())
    assert hooks and all(os.access(hook, os.X_OK) for hook in hooks)
