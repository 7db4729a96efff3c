"""The first start of the program, and one on a disk without room: what it says, and who may read what it makes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

import pytest

from tests.api_kit import wav
from webui.store.migrate import DatabaseRefused, open_database

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """A small file system of its own."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    filler = disk / "filler"
    with filler.open("wb") as file:
        usage = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leave)
    return filler


@contextmanager
def program(data: Path, *arguments: str, umask: int = -1, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "app.py", "--data", str(data), "--device", "cpu", *arguments],
        cwd=ROOT,
        env={**os.environ, "SHENGFANG_ENGINES": "benchmarks.fake_engine", "LC_ALL": "C", **environment},
        stderr=subprocess.PIPE,
        text=True,
        umask=umask,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def lines_of(server: subprocess.Popen[str]) -> Queue[str]:
    """What it says of itself, as it says it."""
    said: Queue[str] = Queue()

    def read() -> None:
        for line in server.stderr or ():
            if line.startswith("Shengfang"):
                said.put(line)

    threading.Thread(target=read, daemon=True).start()
    return said


@pytest.mark.parametrize("leave", [0, 12 * 2**20])
@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["transcribe", __file__]])
def test_a_first_start_without_room_names_place_need_and_cure(tmp_path: Path, leave: int, command: list[str]) -> None:
    """A11"""
    with mounted(tmp_path / "disk", 64 * 2**20) as disk:
        fill(disk, leave)
        with program(disk / "data", *command) as started:
            said = started.communicate(timeout=60)[1].strip()
        assert started.returncode == 1
        assert not (disk / "data").exists()
    assert len(said.splitlines()) == 1 and "ready" not in said
    assert str(disk / "data") in said and "16 MB" in said and "--data" in said


def test_ready_is_said_once_it_is_ready(tmp_path: Path) -> None:
    """A11: below the reserve nothing is taken in, and `/readyz` says so."""
    with mounted(tmp_path / "disk", 256 * 2**20) as disk:
        filler = fill(disk, leave=100 * 2**20)
        reserve = {"SHENGFANG_DISK_RESERVE_BYTES": str(150 * 2**20), "SHENGFANG_BALLAST_BYTES": "0"}
        with program(disk / "data", "--port", "0", **reserve) as server:
            said = lines_of(server)
            assert "cannot take jobs in yet" in (first := said.get(timeout=60)) and "disk" in first
            with pytest.raises(Empty):
                said.get(timeout=3)  # the program looks every two seconds
            filler.unlink()
            assert "is ready" in said.get(timeout=60)


def test_a_database_on_a_full_disk_says_what_it_needs(tmp_path: Path) -> None:
    """SQLite's own words are "disk I/O error"."""
    with mounted(tmp_path / "disk", 32 * 2**20) as disk:
        open_database(disk / "history.db").close()
        fill(disk)
        with pytest.raises(DatabaseRefused) as caught:
            open_database(disk / "history.db")
    assert caught.value.code == "DATABASE_NO_ROOM" and caught.value.params["size"] == "16 MB"


def test_what_the_program_writes_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    """A14: what a command hands out is as open as its user wants it."""
    (recording := tmp_path / "a.wav").write_bytes(wav())
    arguments = ("transcribe", str(recording), "--model", "fake", "--format", "txt")
    with program(tmp_path / "data", *arguments, umask=0, SHENGFANG_DISK_RESERVE_BYTES="0") as done:
        said = done.communicate(timeout=120)[1]
    assert done.returncode == 0, said
    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "data", *(tmp_path / "data").rglob("*"))}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}
    assert len(modes) > 8 and (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666
