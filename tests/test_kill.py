"""kill -9 at random moments, and SIGTERM: no committed segment is lost, repeated or wrong."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from benchmarks import kill_databases
from benchmarks.kill import BATCH, settings_for, submit, torment, working
from webui.store.jobs import JobStore
from webui.store.migrate import open_database


@pytest.mark.slow
def test_eight_kills_and_two_drains_lose_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data")
    uid = submit(settings, segments=400, seconds=0.005)
    report = torment(settings, uid, kills=8, drains=2)
    assert (report.state, report.lost, report.wrong) == ("done", 0, 0)
    assert 0 <= report.repeated <= report.kills * BATCH
    assert report.kills >= 4, "the job was long enough to be killed"


def test_sigterm_finishes_the_batch_and_exits_with_zero(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data")
    uid = submit(settings, segments=1000, seconds=0.01)
    database = open_database(settings.database)
    jobs = JobStore(database)
    with working(settings.data) as process:
        deadline = time.monotonic() + 60
        while not jobs.get(None, uid).seg_done and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    job = jobs.get(None, uid)
    heard = (settings.data / "heard.log").read_text(encoding="utf-8").splitlines()
    assert job.state == "queued" and 0 < job.seg_done < 1000
    assert len(heard) == job.seg_done, "what was heard is committed"
    database.close()


@pytest.mark.slow
def test_kills_while_the_database_is_removed_and_replaced_lose_no_recording(tmp_path: Path) -> None:
    run = kill_databases.Torment(tmp_path, seed=3)
    for way in ("remove", "replace", "leave"):
        run.life(way)
    assert (run.lost(), run.unnoticed, run.needless) == (0, 0, 0)
    assert run.refused == 2, "after the removal, and after the replacement"
