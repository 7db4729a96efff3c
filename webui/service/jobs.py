"""Jobs as pages, API and command line see them: submitting, following, editing, results."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.errors import Notice, UserError
from webui.jobs.changes import ChangeFeed
from webui.jobs.kinds import KINDS
from webui.jobs.params import Consent, ConvertParams, SpeakParams, TranscribeParams
from webui.service.label_integrity import LabelIntegrity
from webui.service.submission import SubmissionKey, Submitter
from webui.service.uploads import Upload
from webui.service.validation import checked
from webui.service.voices import VoiceService
from webui.settings import Settings
from webui.store.accounts import NOBODY
from webui.store.history import PAGE, History
from webui.store.jobs import JobStore, RefusedFile, Submission
from webui.store.rows import Changes, JobFilter, JobRow, QueuePlace, SegmentRow
from webui.store.states import CANCELLED, EXPIRED, FAILED, FINAL_STATES
from webui.text.file_names import download_stem

__all__ = ["JobFilter", "JobService", "Media"]

LOOK_AGAIN_S = 30.0  # a waiter asks again after so long, whatever it heard
MOST_PAUSE_S = 0.5
MOST_ON_A_PAGE = 200


@dataclass(frozen=True)
class QueuedJob:
    """A job's row, and where it stands in the queue."""

    row: JobRow
    place: QueuePlace | None


@dataclass(frozen=True)
class SubmittedJobs:
    """`refused`: what came along and is no recording."""

    batch: str | None
    jobs: Sequence[QueuedJob]
    refused: Sequence[RefusedFile] = ()


@dataclass(frozen=True)
class JobsOfPage:
    """`next`: the `before` of the page that follows, None at the end."""

    jobs: Sequence[QueuedJob]
    next: str | None


@dataclass(frozen=True)
class ChangedJobs:
    """`since` is the number to ask with next time; `deleted` holds uids."""

    since: int
    jobs: Sequence[QueuedJob] = ()
    deleted: Sequence[str] = ()


@dataclass(frozen=True)
class JobSegments:
    job: JobRow
    segments: Sequence[SegmentRow]


@dataclass(frozen=True)
class Media:
    """A file to send: `name` as the download is called."""

    path: Path
    mime: str
    name: str


class JobService:
    """Every method takes the owner's id; another's job does not exist for them (NOT_FOUND)."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        history: History,
        submitter: Submitter,
        voices: VoiceService,
        feed: ChangeFeed,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._store = store
        self._history = history
        self._submitter = submitter
        self._voices = voices
        self._feed = feed
        self._stopping = stopping
        self._label_integrity = LabelIntegrity()

    def submit_transcribe(
        self,
        owner_id: int,
        uploads: Sequence[Upload],
        params: TranscribeParams,
        key: SubmissionKey = SubmissionKey(),
    ) -> SubmittedJobs:
        """A job per recording; the files are taken over or removed. Raises UserError, see `Submitter`."""
        return self._submitted(self._submitter.transcribe(owner_id, uploads, params, key), key)

    def submit_convert(
        self,
        owner_id: int,
        uploads: Sequence[Upload],
        params: ConvertParams,
        key: SubmissionKey = SubmissionKey(),
    ) -> SubmittedJobs:
        """A job per recording, each to be read again in another voice."""
        return self._submitted(self._submitter.convert(owner_id, uploads, params, key), key)

    def submit_speak(
        self,
        owner_id: int,
        params: SpeakParams,
        prompt: Upload | None = None,
        consent: Consent | None = None,
        key: SubmissionKey = SubmissionKey(),
    ) -> SubmittedJobs:
        """One job; a `prompt` makes a voice for this job only."""
        return self._submitted(self._submitter.speak(owner_id, params, prompt, consent, key), key)

    def submit_text(self, owner_id: int, text: str, voice: str) -> SubmittedJobs:
        """One job that speaks `text`, all else being as usual. Raises INVALID_FIELD."""
        return self.submit_speak(owner_id, checked(SpeakParams, {"text": text, "voice": voice}))

    def get(self, owner_id: int, uid: str) -> QueuedJob:
        return self._placed([self._store.get(owner_id, uid)])[0]

    def page(self, wanted: JobFilter, *, before: str | None = None, limit: int = PAGE) -> JobsOfPage:
        """Newest first."""
        limit = min(limit, MOST_ON_A_PAGE)
        rows = self._history.page(wanted, before=before, limit=limit + 1)
        shown = rows[:limit]
        return JobsOfPage(self._placed(shown), next=shown[-1].uid if len(rows) > limit else None)

    def stream(self, wanted: JobFilter) -> Iterator[JobRow]:
        """Every row that the filter lets through, newest first, read in chunks."""
        return self._history.stream(wanted)

    def segments(self, owner_id: int, uid: str, *, after: int | None = None) -> JobSegments:
        """In time order; with `after`, those whose `change` is greater."""
        job = self._store.get(owner_id, uid)
        return JobSegments(job, self._store.segments(owner_id, uid, after=after))

    def edit_segment(
        self,
        owner_id: int,
        uid: str,
        number: int,
        *,
        version: int | None = None,
        text: str | None = None,
        speaker: str | None = None,
    ) -> JobSegments:
        """Correct a segment, and give it back. Raises CONFLICT where a `version` is given that is not the newest."""
        row = self._store.edit_segment(owner_id, uid, number, version=version, text=text, speaker=speaker)
        return JobSegments(self._store.get(owner_id, uid), [row])

    def rename_speaker(self, owner_id: int, uid: str, speaker: str, name: str) -> int:
        """Name a speaker in the whole job; how many segments that changed. Raises NOT_FOUND."""
        return self._store.rename_speaker(owner_id, uid, speaker, name)

    def cancel(self, owner_id: int, uid: str) -> QueuedJob:
        return self._placed([self._store.request_cancel(owner_id, uid)])[0]

    def retry(self, owner_id: int, uid: str) -> QueuedJob:
        """Queue it again; only what is not done runs. What needed a model gets the one installed since.

        Raises BAD_STATE.
        """
        model = self._submitter.successor(self._store.get(owner_id, uid))
        instead = {"model": model.name, "model_revision": model.revision} if model else {}
        return self._placed([self._store.retry(owner_id, uid, **instead)])[0]

    def delete(self, owner_id: int, uid: str) -> None:
        """The row's content, its files and the voice that was made for it are gone."""
        job = self._store.get(owner_id, uid)
        for path in self._store.delete(owner_id, uid):
            (self._settings.data / path).unlink(missing_ok=True)
        if job.voice_id is not None:
            self._voices.forget_if_unsaved(owner_id, job.voice_id)
        for folder in (self._settings.uploads / uid, self._settings.outputs / uid):
            shutil.rmtree(folder, ignore_errors=True)

    def changes(self, owner_id: int, since: int | None) -> ChangedJobs:
        """What changed after number `since`; without one, only the number to start with."""
        if since is None:
            return ChangedJobs(self._feed.now())
        return self._changed(owner_id, self._history.changes_since(owner_id, since))

    async def changes_after(self, owner: Callable[[], int], since: int, timeout: float) -> ChangedJobs:
        """`changes` as soon as there are any, or after `timeout` seconds.

        `owner` (quick) may give NOBODY at first: a new browser waits for changes before it has submitted anything.
        """
        deadline = time.monotonic() + timeout
        while (owner_id := owner()) == NOBODY and time.monotonic() < deadline and not self._stopping.is_set():
            await asyncio.sleep(MOST_PAUSE_S)
        found = await self._feed.wait_async(owner_id, since, max(0.0, deadline - time.monotonic()))
        return await asyncio.to_thread(self._changed, owner_id, found)

    def wait(self, owner_id: int, uid: str, timeout: float) -> JobRow:
        """The job when it has ended, or as it is after `timeout` seconds or when the program ends."""
        deadline = time.monotonic() + timeout
        while True:
            since = self._feed.now()
            row = self._store.get(owner_id, uid)
            left = deadline - time.monotonic()
            if row.final or left <= 0 or self._stopping.is_set():
                return row
            self._feed.wait(owner_id, since, min(left, LOOK_AGAIN_S))

    async def ended(self, owner_id: int, uid: str) -> None:
        """Return when the job has ended. Holds no thread, and looks less often the longer it takes.

        Raises UNAVAILABLE when the program ends first; the job goes on after the next start.
        """
        pause = 0.02
        while True:
            since = await asyncio.to_thread(self._feed.now)
            if (await asyncio.to_thread(self._store.get, owner_id, uid)).final:
                return
            if self._stopping.is_set():
                raise UserError("UNAVAILABLE", reason=Notice("STOPPING"))
            await self._feed.wait_async(owner_id, since, LOOK_AGAIN_S)
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, MOST_PAUSE_S)

    def successful(self, owner_id: int, uid: str) -> JobRow:
        """An ended job that has something to give. Raises what it failed of, MODEL_NEEDED, JOB_CANCELLED."""
        row = self._store.get(owner_id, uid)
        if row.state == CANCELLED:
            raise UserError("JOB_CANCELLED")
        if row.error and (row.state == FAILED or row.error.code == "MODEL_NEEDED"):
            raise row.error.as_error()
        return row

    def ended_segments(self, owner_id: int, uid: str) -> JobSegments:
        """An ended job with its segments. Raises NOT_READY."""
        job = self._store.get(owner_id, uid)
        if job.state not in FINAL_STATES:
            raise UserError("NOT_READY")
        return JobSegments(job, self._store.segments(owner_id, uid))

    def audio(self, owner_id: int, uid: str) -> Media:
        """The result of speaking, or the recording in a format every browser plays.

        Raises NOT_READY before there is one, MISSING_INPUT where retention took it, LABEL_MISSING where a
        generated file is no longer the one whose label was checked, CONSENT_EXPIRED where the voice's consent is gone.
        """
        job = self._store.get(owner_id, uid)
        if job.voice_id is not None:
            self._voices.check_consent(job.voice_id, str(job.params.get("voice", "")))
        role = KINDS[job.kind].played
        files = self._store.artifacts(owner_id, uid, role)
        if not files:
            raise UserError("MISSING_INPUT" if job.state == EXPIRED else "NOT_READY")
        path = self._settings.data / files[0].path
        if not path.is_file():
            raise UserError("MISSING_INPUT")
        if role == "output":
            self._label_integrity.check(path, files[0])
        return Media(path, files[0].mime or "audio/wav", download_stem(job.file_name, job.text) + path.suffix)

    def _changed(self, owner_id: int, found: Changes) -> ChangedJobs:
        rows = []
        for uid in found.changed:
            with contextlib.suppress(UserError):  # deleted meanwhile
                rows.append(self._store.get(owner_id, uid))
        return ChangedJobs(found.now, self._placed(rows), found.deleted)

    def _submitted(self, submission: Submission, key: SubmissionKey) -> SubmittedJobs:
        batch = submission.jobs[0].batch if submission.jobs else key.batch
        return SubmittedJobs(batch, self._placed(submission.jobs), submission.refused)

    def _placed(self, rows: Sequence[JobRow]) -> list[QueuedJob]:
        places = self._store.places(rows)
        return [QueuedJob(row, places.get(row.uid)) for row in rows]
