"""What the tests of store and jobs share: a database, jobs made in one line, speech-like sound."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from webui.settings import Settings
from webui.store.accounts import AccountStore
from webui.store.database import Database
from webui.store.history import History
from webui.store.jobs import JobStore, new_uid
from webui.store.migrate import open_database
from webui.store.options import OptionStore
from webui.store.queue import Queue
from webui.store.rows import ArtifactRow, JobRow, Lease, NewJob, NewSegment, OwnerRow, SegmentResult
from webui.store.voices import VoiceStore

RATE = 16_000


@dataclasses.dataclass(frozen=True)
class Store:
    """All stores over one database."""

    database: Database
    jobs: JobStore
    queue: Queue
    history: History
    accounts: AccountStore
    options: OptionStore
    voices: VoiceStore

    def owner(self, name: str = "api") -> OwnerRow:
        return self.accounts.by_name(name)

    def submit(self, owner: OwnerRow | None = None, **values: Any) -> JobRow:
        new = NewJob(new_uid(), "transcribe", {"language": "zh"}, "fake")
        return self.jobs.submit((owner or self.owner()).id, [dataclasses.replace(new, **values)]).jobs[0]

    def planned(self, segments: int, owner: OwnerRow | None = None, **values: Any) -> JobRow:
        """A job ready for the device workers, its segments a second each."""
        job = self.submit(owner, **values)
        claim = self.queue.claim("prepare", "boot")
        assert claim is not None and claim.job.uid == job.uid
        self.queue.plan(claim.lease, [NewSegment(at, at + 1) for at in range(segments)])
        return self.jobs.get(None, job.uid)

    def work(self, lease: Lease, count: int = 1, seconds: float = 1.0, text: str = "字") -> list[int]:
        """One batch: take and commit; the indexes done."""
        batch = self.queue.take(lease, count, count)
        results = [SegmentResult(row.idx, text=text, text_raw=text) for row in batch]
        if results:
            self.queue.commit(lease, results, device="cpu", seconds=seconds)
        return [row.idx for row in batch]

    def finished(self, text: str, owner: OwnerRow | None = None, **values: Any) -> JobRow:
        """A finished transcription of `text`."""
        job = self.planned(1, owner, **values)
        claim = self.queue.claim("work", "boot")
        assert claim is not None
        self.work(claim.lease, text=text)
        self.queue.finish(claim.lease)
        return self.jobs.get(None, job.uid)


def open_store(path: Path) -> Store:
    database = open_database(path)
    stores = (JobStore, Queue, History, AccountStore, OptionStore, VoiceStore)
    return Store(database, *(store(database) for store in stores))


def buzz(seconds: float, seed: int = 0) -> np.ndarray:
    """A buzzing voice, 4 syllables a second, that a speech detector takes for speech. float32, 16 kHz."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * times)) / RATE
    voice = sum(np.sin(k * phase) * (np.exp(-(((k * 120 - 600) / 300) ** 2)) + 0.3 / k) for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 4 * times), 0.05, 1)
    return np.float32(0.1 * voice * syllables + 0.001 * random.standard_normal(len(times)))


def upload(settings: Settings, samples: np.ndarray) -> tuple[str, ArtifactRow]:
    """A recording in its place before its job is submitted; (the job's uid, its input)."""
    uid = new_uid()
    path = settings.uploads / uid / "original.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, samples, RATE)
    return uid, ArtifactRow("input", f"uploads/{uid}/original.wav", bytes=path.stat().st_size)
