"""Jobs as pages, API and command line see them: submitting, following, editing, results."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.errors import Notice, UserError
from webui.jobs.changes import ChangeFeed
from webui.jobs.params import Consent, ConvertParams, SpeakParams, TranscribeParams
from webui.service.label_integrity import LabelIntegrity
from webui.service.results import Result, write_result
from webui.service.submission import SubmissionKey, Submitter
from webui.service.uploads import Upload
from webui.service.views import Job, JobChanges, JobPage, Segment, Submitted
from webui.service.voices import VoiceService
from webui.service.wording import job_view, segment_view
from webui.settings import Settings
from webui.store.history import PAGE, History
from webui.store.jobs import JobStore, Submission
from webui.store.rows import Changes, JobFilter, JobRow
from webui.store.states import CANCELLED, EXPIRED, FAILED, FINAL_STATES, TRANSCRIBE

__all__ = ["JobFilter", "JobService", "Media"]

LOOK_AGAIN_S = 30.0  # a waiter asks again after so long, whatever it heard
MOST_PAUSE_S = 0.5
MOST_ON_A_PAGE = 200


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
        language: str = "zh",
    ) -> Submitted:
        """A job per recording; the files are taken over or removed. Raises UserError, see `Submitter`."""
        return self._submitted(self._submitter.transcribe(owner_id, uploads, params, key), key, language)

    def submit_convert(
        self,
        owner_id: int,
        uploads: Sequence[Upload],
        params: ConvertParams,
        key: SubmissionKey = SubmissionKey(),
        language: str = "zh",
    ) -> Submitted:
        """A job per recording, each to be read again in another voice."""
        return self._submitted(self._submitter.convert(owner_id, uploads, params, key), key, language)

    def submit_speak(
        self,
        owner_id: int,
        params: SpeakParams,
        prompt: Upload | None = None,
        consent: Consent | None = None,
        key: SubmissionKey = SubmissionKey(),
        language: str = "zh",
    ) -> Submitted:
        """One job; a `prompt` makes a voice for this job only."""
        return self._submitted(self._submitter.speak(owner_id, params, prompt, consent, key), key, language)

    def get(self, owner_id: int, uid: str, language: str = "zh") -> Job:
        return self._views([self._store.get(owner_id, uid)], language)[0]

    def page(self, wanted: JobFilter, *, before: str | None = None, limit: int = PAGE, language: str = "zh") -> JobPage:
        """Newest first; `next` is the `before` of the page that follows, None at the end."""
        limit = min(limit, MOST_ON_A_PAGE)
        rows = self._history.page(wanted, before=before, limit=limit + 1)
        shown = rows[:limit]
        return JobPage(jobs=self._views(shown, language), next=shown[-1].uid if len(rows) > limit else None)

    def segments(
        self, owner_id: int, uid: str, *, after: int | None = None, words: bool = True, language: str = "zh"
    ) -> list[Segment]:
        """In time order; with `after`, those whose `change` is greater. Without `words` these are left empty."""
        job = self._store.get(owner_id, uid)
        rows = self._store.segments(owner_id, uid, after=after)
        return [segment_view(row, job, language, words=words) for row in rows]

    def edit_segment(
        self,
        owner_id: int,
        uid: str,
        number: int,
        *,
        version: int | None = None,
        text: str | None = None,
        speaker: str | None = None,
        language: str = "zh",
    ) -> Segment:
        """Correct a segment. Raises CONFLICT where a `version` is given that is no longer the newest."""
        row = self._store.edit_segment(owner_id, uid, number, version=version, text=text, speaker=speaker)
        return segment_view(row, self._store.get(owner_id, uid), language)

    def rename_speaker(self, owner_id: int, uid: str, speaker: str, name: str) -> int:
        """Name a speaker in the whole job; how many segments that changed. Raises NOT_FOUND."""
        return self._store.rename_speaker(owner_id, uid, speaker, name)

    def cancel(self, owner_id: int, uid: str, language: str = "zh") -> Job:
        return self._views([self._store.request_cancel(owner_id, uid)], language)[0]

    def retry(self, owner_id: int, uid: str, language: str = "zh") -> Job:
        """Queue it again; only what is not done runs. What needed a model gets the one installed since.

        Raises BAD_STATE.
        """
        model = self._submitter.successor(self._store.get(owner_id, uid))
        instead = {"model": model.name, "model_revision": model.revision} if model else {}
        return self._views([self._store.retry(owner_id, uid, **instead)], language)[0]

    def delete(self, owner_id: int, uid: str) -> None:
        """The row's content, its files and the voice that was made for it are gone."""
        job = self._store.get(owner_id, uid)
        for path in self._store.delete(owner_id, uid):
            (self._settings.data / path).unlink(missing_ok=True)
        if job.voice_id is not None:
            self._voices.forget_if_unsaved(owner_id, job.voice_id)
        for folder in (self._settings.uploads / uid, self._settings.outputs / uid):
            shutil.rmtree(folder, ignore_errors=True)

    def changes(self, owner_id: int, since: int | None, language: str = "zh") -> JobChanges:
        """What changed after number `since`; without one, only the number to start with."""
        if since is None:
            return JobChanges(since=self._feed.now(), jobs=[], deleted=[])
        return self._changes_view(owner_id, self._history.changes_since(owner_id, since), language)

    async def changes_after(self, owner_id: int, since: int, timeout: float, language: str = "zh") -> JobChanges:
        """`changes` as soon as there are any, or after `timeout` seconds."""
        found = await self._feed.wait_async(owner_id, since, timeout)
        return await asyncio.to_thread(self._changes_view, owner_id, found, language)

    def wait(self, owner_id: int, uid: str, timeout: float, language: str = "zh") -> Job:
        """The job when it has ended, or as it is after `timeout` seconds or when the program ends."""
        deadline = time.monotonic() + timeout
        while True:
            since = self._feed.now()
            row = self._store.get(owner_id, uid)
            left = deadline - time.monotonic()
            if row.final or left <= 0 or self._stopping.is_set():
                return self._views([row], language)[0]
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

    def successful(self, owner_id: int, uid: str, language: str = "zh") -> Job:
        """An ended job that has something to give. Raises what it failed of, MODEL_NEEDED, JOB_CANCELLED."""
        row = self._store.get(owner_id, uid)
        if row.state == CANCELLED:
            raise UserError("JOB_CANCELLED")
        if row.error and (row.state == FAILED or row.error.code == "MODEL_NEEDED"):
            raise row.error.as_error()
        return self._views([row], language)[0]

    def result(self, owner_id: int, uid: str, form: str, language: str = "zh") -> Result:
        """The transcript as txt, srt, vtt, json, csv or docx. Raises NOT_READY, NOT_FOUND for another form."""
        job = self._store.get(owner_id, uid)
        if job.state not in FINAL_STATES:
            raise UserError("NOT_READY")
        return write_result(job, self._store.segments(owner_id, uid), form, language)

    def audio(self, owner_id: int, uid: str) -> Media:
        """The result of speaking, or the recording in a form every browser plays.

        Raises NOT_READY before there is one, MISSING_INPUT where retention took it, LABEL_MISSING where a
        generated file is no longer the one whose label was checked.
        """
        job = self._store.get(owner_id, uid)
        role = "playable" if job.kind == TRANSCRIBE else "output"
        files = self._store.artifacts(owner_id, uid, role)
        if not files:
            raise UserError("MISSING_INPUT" if job.state == EXPIRED else "NOT_READY")
        path = self._settings.data / files[0].path
        if not path.is_file():
            raise UserError("MISSING_INPUT")
        if role == "output":
            self._label_integrity.check(path, files[0])
        stem = Path(job.file_name).stem or job.uid[:8]
        return Media(path, files[0].mime or "audio/wav", stem + path.suffix)

    def _changes_view(self, owner_id: int, found: Changes, language: str) -> JobChanges:
        rows = []
        for uid in found.changed:
            with contextlib.suppress(UserError):  # deleted meanwhile
                rows.append(self._store.get(owner_id, uid))
        return JobChanges(since=found.now, jobs=self._views(rows, language), deleted=list(found.deleted))

    def _submitted(self, submission: Submission, key: SubmissionKey, language: str) -> Submitted:
        batch = submission.jobs[0].batch if submission.jobs else key.batch
        return Submitted(batch=batch, jobs=self._views(submission.jobs, language))

    def _views(self, rows: Sequence[JobRow], language: str) -> list[Job]:
        places = self._store.places(rows)
        return [job_view(row, places.get(row.uid), language) for row in rows]
