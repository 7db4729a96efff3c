"""A disk without any room: people may read and delete, a start works, and what was put aside comes back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api_kit import code, finish, serving, submit, wav
from webui.ballast import Ballast
from webui.disk import free_bytes
from webui.settings import Settings

SIZE = 96 * 2**20
PUT_ASIDE = SIZE // 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take every byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    assert free_bytes(disk) == 0
    return filler


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_on_a_full_disk_one_reads_and_deletes(disk: Path) -> None:
    ballast = disk / "data" / "ballast"
    with serving(disk, ballast_bytes=64 * 2**20) as server:
        wait_for(ballast.exists)
        assert ballast.stat().st_size == PUT_ASIDE
        client = server.browser()
        jobs = [submit(client, (f"{number}.wav", wav())).json()["jobs"][0]["id"] for number in range(3)]
        for uid in jobs:
            assert finish(client, uid)["state"] == "done"
        filler = fill(disk)
        for caller in (client, server.browser(), server.api()):
            for path in ("/api/v1/jobs", "/api/v1/system", "/api/v1/changes", "/api/v1/history.csv"):
                assert caller.get(path).status_code == 200
        assert code(submit(client, ("a.wav", wav()))) == (507, "DISK_FULL")
        assert client.delete(f"/api/v1/jobs/{jobs[0]}").status_code == 204
        assert not ballast.exists()
        assert [job["id"] for job in client.get("/api/v1/jobs").json()["jobs"]] == jobs[:0:-1]
        filler.unlink()
        wait_for(ballast.exists)
        again = submit(client, ("a.wav", wav())).json()["jobs"][0]["id"]
        assert finish(client, again)["state"] == "done"


def test_a_start_on_a_full_disk_works(disk: Path) -> None:
    with serving(disk, ballast_bytes=64 * 2**20) as server:
        wait_for((disk / "data" / "ballast").exists)
        client = server.browser()
        uid = submit(client, ("a.wav", wav())).json()["jobs"][0]["id"]
        finish(client, uid)
    fill(disk)
    with serving(disk, ballast_bytes=64 * 2**20) as server, server.browser() as again:
        again.cookies = client.cookies
        assert again.get(f"/api/v1/jobs/{uid}").status_code == 200
        assert server.api().get("/readyz").status_code == 503
        assert again.delete(f"/api/v1/jobs/{uid}").status_code == 204


def test_what_was_put_aside_is_not_work_room(disk: Path) -> None:
    settings = Settings(data=disk, ballast_bytes=64 * 2**20)
    ballast = Ballast(settings)
    assert ballast.missing() == PUT_ASIDE
    ballast.keep()
    assert (ballast.missing(), free_bytes(disk)) == (0, SIZE - PUT_ASIDE)
    ballast.give_way()  # there is room: it stays
    assert ballast.missing() == 0
    fill(disk)
    ballast.give_way()
    ballast.keep()  # no room for it
    assert ballast.missing() == free_bytes(disk) == PUT_ASIDE


def test_none_is_put_aside_where_none_is_wanted(tmp_path: Path) -> None:
    ballast = Ballast(Settings(data=tmp_path, ballast_bytes=0))
    ballast.keep()
    assert ballast.missing() == 0 and not list(tmp_path.iterdir())
