"""kill -9 in the midst of taking recordings in, and between the starts a database that is removed, replaced by another
one, put back from a copy by hand, or restored: is a recording lost? Prints one JSON line.

python -m benchmarks.kill_databases --kills 100
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import io
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.kill import PATIENCE_S, RATE, ROOT, settings_for
from webui.errors import UserError
from webui.jobs.params import TranscribeParams
from webui.service.services import Services
from webui.service.uploads import copy_in
from webui.store.maintenance import back_up
from webui.store.migrate import open_database

REFUSED = 3  # exit code of the program for DATABASE_MISSING
MOST_ACCEPTED = 6  # recordings between two kills
BACKUPS = 0.4  # of the lives, in which a backup is made beside the program


@dataclasses.dataclass(frozen=True)
class Report:
    kills: int
    accepted: int  # recordings that the program said it has
    between: dict[str, int]  # what became of the database between two starts, how often
    refused: int  # starts
    unnoticed: int  # starts with a database that did not know what had been accepted
    needless: int  # refused starts with a database that knew everything
    lost: int  # recordings, of those accepted, that are neither in uploads/ nor in quarantine/
    seconds: float


def work(data: Path) -> int:
    """The program that is killed: takes recordings in and works on them, and tells of each when it has it."""
    settings = settings_for(data)
    try:
        services = Services(settings)
    except UserError as error:
        return REFUSED if error.code == "DATABASE_MISSING" else 1
    services.models.set_options({"default_recognizer": "fake"})
    services.start()
    owner = services.accounts.local_owner()
    chance = np.random.default_rng()
    while True:
        buffer = io.BytesIO()
        soundfile.write(buffer, chance.integers(-9999, 9999, RATE // 2, np.int16), RATE, format="WAV")
        file = data / "next.wav"
        file.write_bytes(buffer.getvalue())
        job = services.jobs.submit_transcribe(owner, [copy_in(file, settings)], TranscribeParams(language="en")).jobs[0]
        print(job.row.uid, hashlib.sha256(buffer.getvalue()).hexdigest(), flush=True)


class Torment:
    def __init__(self, folder: Path, seed: int) -> None:
        self._settings = settings_for(folder / "data")
        self._backups = folder / "backups"
        self._other = folder / "other.db"
        self._chance = random.Random(seed)
        self.accepted: dict[str, str] = {}  # uid → SHA-256
        self.between: Counter[str] = Counter()
        self.refused = self.unnoticed = self.needless = 0
        open_database(self._other).close()

    def life(self, way: str | None = None) -> None:
        """A start, refused ones cured; some recordings; kill -9; and `way` (None: any) happens to the database."""
        while not self._lives():
            self._cure()
        ways = {"leave": self._leave, "remove": self._remove, "replace": self._replace}
        if self._copies():
            ways |= {"copy_back": self._copy_back, "restore": self._restore}
        way = way or self._chance.choice(list(ways))
        self.between[way] += 1
        ways[way]()

    def lost(self) -> int:
        """Every byte is looked at."""
        data = self._settings.data
        found = [*data.glob("uploads/*/original.wav"), *data.glob("quarantine/*/uploads/*/original.wav")]
        there = {(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in found}
        return len(set(self.accepted.items()) - there)

    def _lives(self) -> bool:
        """False where the start was refused."""
        unknown = self._unknown()
        command = [sys.executable, "-m", "benchmarks.kill_databases", "--work", str(self._settings.data)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            wanted = self._chance.randint(1, MOST_ACCEPTED)
            lines = [line for line in (process.stdout.readline() for _ in range(wanted)) if line]
            if not lines:
                assert process.wait(PATIENCE_S) == REFUSED, f"the program ended with {process.returncode}"
                self.refused += 1
                self.needless += not unknown
                return False
            if self._chance.random() < BACKUPS:
                back_up(self._settings, self._backups)
            time.sleep(self._chance.uniform(0, 0.1))
            process.kill()
            lines += process.stdout.read().splitlines()
        self.accepted |= dict(line.split() for line in lines)
        self.unnoticed += bool(unknown)
        return True

    def _unknown(self) -> set[str]:
        """Accepted recordings in their place that the database there is now does not know."""
        there = {path.parent.name for path in self._settings.uploads.glob("*/original.wav")} & set(self.accepted)
        if not self._settings.database.is_file():
            return there
        with closing(sqlite3.connect(self._settings.database)) as connection:
            return there - {uid for (uid,) in connection.execute("SELECT uid FROM jobs")}

    def _cure(self) -> None:
        """What an administrator does, as the refusal says."""
        arguments = ["check", "--orphans", "--quarantine"]
        if self._copies() and self._chance.random() < 0.5:
            arguments = ["restore", str(self._backups)]
        self._run(*arguments)

    def _leave(self) -> None:
        pass

    def _remove(self) -> None:
        for path in self._settings.data.glob("history.db*"):
            path.unlink()

    def _replace(self) -> None:
        self._remove()
        shutil.copy(self._other, self._settings.database)

    def _copy_back(self) -> None:
        self._remove()
        shutil.copy(self._chance.choice(self._copies()), self._settings.database)

    def _restore(self) -> None:
        self._run("restore", str(self._chance.choice(self._copies())))

    def _copies(self) -> list[Path]:
        return sorted(self._backups.glob("history-*.db"))

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, "app.py", "--data", str(self._settings.data), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode in (0, 3), done.stderr


def torment(folder: Path, kills: int, seed: int = 0) -> Report:
    began = time.monotonic()
    run = Torment(folder, seed)
    for _ in range(kills):
        run.life()
    return Report(
        kills=kills,
        accepted=len(run.accepted),
        between=dict(run.between),
        refused=run.refused,
        unnoticed=run.unnoticed,
        needless=run.needless,
        lost=run.lost(),
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, help="be the program that is killed")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work)
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    report = torment(folder, arguments.kills, arguments.seed)
    print(json.dumps(dataclasses.asdict(report)))
    if report.lost or report.unnoticed:
        print(f"left as it is: {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
