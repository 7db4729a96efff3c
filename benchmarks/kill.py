"""Kills a working program again and again, and counts what was lost, repeated or wrong. Prints one JSON line.

python -m benchmarks.kill --kills 100 --drains 10
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.fake_engine import heard
from webui.audio.intake import Decoder
from webui.audio.working_copy import WorkingCopy, WorkingCopyWriter
from webui.engines.base import Waveform
from webui.hosting.host import ModelHost
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context
from webui.jobs.runner import JobRunner
from webui.settings import Settings
from webui.store.accounts import AccountStore
from webui.store.jobs import JobStore, new_uid
from webui.store.migrate import open_database
from webui.store.queue import Queue
from webui.store.rows import ArtifactRow, JobRow, NewJob, NewSegment

ROOT = Path(__file__).resolve().parent.parent
RATE = 16_000
SEGMENT_S = 0.5
BATCH = 1  # segments that may be repeated after a kill: on a CPU each is committed before the next begins
MOST_CHANGES = 30  # of the job between two kills: moments counted in work, not in seconds, on a busy machine too
PATIENCE_S = 300.0  # for a program that starts on a busy machine


@dataclass(frozen=True)
class Report:
    kills: int
    drains: int
    segments: int
    lost: int
    wrong: int
    repeated: int  # recognitions beyond one per segment
    repeated_per_kill: float  # on average
    state: str
    seconds: float


def settings_for(data: Path) -> Settings:
    (data / "models").mkdir(parents=True, exist_ok=True)
    return Settings(data=data, models=data / "models", engines=("benchmarks.fake_engine",), device="cpu")


def submit(settings: Settings, segments: int, seconds: float) -> str:
    """A long recording past its preparing; `seconds` of work per segment. Returns the job's uid."""
    database = open_database(settings.database)
    uid, log = new_uid(), settings.data / "heard.log"
    folder = settings.uploads / uid
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(-9999, 9999, round(segments * SEGMENT_S * RATE), np.int16)
    with WorkingCopyWriter(folder / "audio.wav") as writer:
        writer.write(noise)
    params = {"language": "en", "hotwords": [f"seconds={seconds}", f"log={log}"]}
    playable = ArtifactRow("playable", f"uploads/{uid}/audio.wav")
    job = NewJob(uid, "transcribe", params, "fake", "1", input=playable)
    JobStore(database).submit(AccountStore(database).by_name("local").id, [job])
    claim = Queue(database).claim("prepare", "set-up")
    assert claim is not None
    plan = [NewSegment(at * SEGMENT_S, (at + 1) * SEGMENT_S) for at in range(segments)]
    Queue(database).plan(claim.lease, plan)
    database.close()
    return uid


def work(data: Path) -> int:
    """The program that is killed: works until SIGTERM, then drains."""
    settings = settings_for(data)
    database = open_database(settings.database)
    changes = ChangeFeed(database)
    decoder = Decoder(settings)
    runner = JobRunner(Context.build(settings, database, ModelHost(settings), decoder), changes)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    changes.start()
    runner.start()
    while not ended.wait(0.1):
        pass
    drained = runner.stop()
    decoder.close()
    changes.stop()
    database.close()
    return 0 if drained else 1


@contextlib.contextmanager
def working(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program in a process of its own; killed in the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.kill", "--work", str(data)], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def torment(settings: Settings, uid: str, kills: int, drains: int = 0, seed: int = 0) -> Report:
    """Kill the program at random moments of its work, let it drain at others, then let it finish; and look."""
    chance = random.Random(seed)
    began = time.monotonic()
    database = open_database(settings.database)
    jobs = JobStore(database)
    turns = chance.sample([signal.SIGKILL] * kills + [signal.SIGTERM] * drains, kills + drains)
    done_turns = 0
    for turn in turns:
        if jobs.get(None, uid).final:
            break
        with working(settings.data) as process:
            last = jobs.get(None, uid).version + chance.randint(1, MOST_CHANGES)
            _wait(lambda: (job := jobs.get(None, uid)).final or job.version >= last)  # noqa: B023 - called here only
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(turn)
            code = process.wait(PATIENCE_S)
            assert turn == signal.SIGKILL or code == 0, f"a drain ended with {code}"
        done_turns += 1
    with working(settings.data):
        _wait(lambda: jobs.get(None, uid).final, 10 * PATIENCE_S)
    report = _inspect(settings, jobs, uid, turns[:done_turns], began)
    database.close()
    return report


def _wait(reached: object, timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the program makes no progress"
        time.sleep(0.02)


def _inspect(settings: Settings, jobs: JobStore, uid: str, turns: list[signal.Signals], began: float) -> Report:
    job: JobRow = jobs.get(None, uid)
    copy = WorkingCopy(settings.uploads / uid / "audio.wav")
    rows = jobs.segments(None, uid)
    expected = [heard(Waveform(copy.read(row.start, row.end), RATE)) for row in rows]
    recognitions = len((settings.data / "heard.log").read_text(encoding="utf-8").splitlines())
    kills = turns.count(signal.SIGKILL)
    repeated = recognitions - len(rows)
    return Report(
        kills=kills,
        drains=len(turns) - kills,
        segments=len(rows),
        lost=sum(row.state != "done" for row in rows),
        wrong=sum(row.text_raw != text for row, text in zip(rows, expected, strict=True)),
        repeated=repeated,
        repeated_per_kill=round(repeated / max(1, kills), 2),
        state=job.state,
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, help="be the program that is killed")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--drains", type=int, default=10)
    parser.add_argument("--segments", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=0.01, help="of work per segment")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work)
    data = Path(tempfile.mkdtemp(prefix="kill-"))
    try:
        settings = settings_for(data)
        uid = submit(settings, arguments.segments, arguments.seconds)
        report = torment(settings, uid, arguments.kills, arguments.drains, arguments.seed)
    finally:
        shutil.rmtree(data)
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    good = report.state == "done" and not (report.lost or report.wrong) and report.repeated <= BATCH * report.kills
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
