"""From a request to rows: files put in their places, models and voices resolved, every parameter frozen."""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DatabaseError

from webui.audio.intake import AudioInfo, Decoder
from webui.engines.base import (
    Capabilities,
    RecognizerCapabilities,
    RecognizerModel,
    SynthesizerCapabilities,
    SynthesizerModel,
)
from webui.errors import Notice, UserError
from webui.jobs.params import Consent, ConvertParams, SpeakParams, TranscribeParams, stored
from webui.service import archives
from webui.service.acceptance import examine
from webui.service.lexicon import LexiconService
from webui.service.model_choice import DEFAULTS
from webui.service.models import ModelService
from webui.service.uploads import Upload, check_space, incoming_folder
from webui.service.validation import invalid
from webui.service.voices import BUILTIN, VoiceService
from webui.settings import Settings
from webui.store.jobs import JobStore, Submission, new_uid
from webui.store.rows import ArtifactRow, JobRow, NewJob, VoiceRow
from webui.store.states import CONVERT, INTERACTIVE, SPEAK, TRANSCRIBE
from webui.text import hotwords, pauses, ssml
from webui.text.file_names import safe_name
from webui.text.languages import is_among
from webui.text.lexicon import Lexicon
from webui.text.pronunciation import parse
from webui.text.sentences import speakable

INTERACTIVE_SECONDS = 300.0
INTERACTIVE_CHARACTERS = 500
MAX_TEXT = 100_000
MAX_KEY = 200
MAX_NAMED = 5  # in a warning
MAX_RECORDINGS = 1000  # of a request, those in archives included
_BATCH = re.compile(r"[0-9a-f]{32}")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class SubmissionKey:
    """How a submission joins others: a batch of the caller's choice, a key that makes a repetition harmless.

    `wanted` (quick) says whether the caller is still there: for who has left no files are looked at.
    """

    batch: str | None = None
    key: str | None = None
    wanted: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        if self.batch is not None and not _BATCH.fullmatch(self.batch):
            raise invalid("batch", "FIELD_FORMAT")
        if self.key is not None and len(self.key) > MAX_KEY:
            raise invalid("Idempotency-Key", "FIELD_TOO_LONG", most=MAX_KEY)

    def go_on(self) -> None:
        """Raises Abandoned."""
        if not self.wanted():
            raise Abandoned


class Abandoned(Exception):
    """The caller left before anything was accepted."""


class Submitter:
    """Writes jobs. What it cannot use it refuses at once and leaves no file behind."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        models: ModelService,
        voices: VoiceService,
        lexicon: LexiconService,
        decoder: Decoder,
    ) -> None:
        self._settings = settings
        self._store = store
        self._models = models
        self._voices = voices
        self._lexicon = lexicon
        self._decoder = decoder

    def transcribe(
        self, owner_id: int, uploads: Sequence[Upload], params: TranscribeParams, key: SubmissionKey
    ) -> Submission:
        """One job per recording. Raises what the decoder's probe raises, MODEL_…, QUEUE_FULL, DISK_FULL."""
        model = self._models.resolve(params.model, RecognizerModel)
        words, remarks = hotwords.clean(params.hotwords)
        frozen = {
            **params.model_dump(mode="json"),
            "model": model.name,
            "language": _language(params.language, model),
            "hotwords": list(words),
        }
        warnings = (*remarks, *_transcribe_warnings(params, model.capabilities))
        template = replace(
            _template(TRANSCRIBE, model, frozen, self._models.device_for(params.device)), warnings=warnings
        )
        return self._submit_files(owner_id, uploads, template, key)

    def successor(self, job: JobRow) -> RecognizerModel | None:
        """Today's default recognizer for a job whose own model did not know its language; else None."""
        if job.error is None or job.error.code != "MODEL_NEEDED":
            return None
        try:
            language = stored(TranscribeParams, job.params).language
            model = self._models.dependable_recognizer(language)
            _language(language, model)
        except UserError:
            return None
        return model

    def convert(
        self, owner_id: int, uploads: Sequence[Upload], params: ConvertParams, key: SubmissionKey
    ) -> Submission:
        """One job per recording, read again in another voice."""
        model = self._models.resolve(params.model, SynthesizerModel)
        if not model.capabilities.convert:
            raise UserError("NOT_CAPABLE", param="model", model=model.name, feature=Notice("KIND_CONVERT"))
        voice = self._voices.to_use(owner_id, params.voice)
        if voice is None:
            raise invalid("voice", "CONVERT_BUILTIN")
        check_prompt(voice, model.capabilities)
        frozen = {**params.model_dump(mode="json"), "model": model.name, "voice": voice.name}
        template = replace(_template(CONVERT, model, frozen, self._models.device_for(params.device)), voice_id=voice.id)
        return self._submit_files(owner_id, uploads, template, key)

    def speak(
        self,
        owner_id: int,
        params: SpeakParams,
        prompt: Upload | None,
        consent: Consent | None,
        key: SubmissionKey,
    ) -> Submission:
        """One job. With a `prompt`, its voice is made for this job only, and needs `consent`."""
        if prompt is None:
            known = self._voices.to_use(owner_id, params.voice)
            return self._speak(owner_id, params, self._speaker(params, cloned=known is not None), known, key)
        model = self._speaker(params, cloned=True)
        check_text(params, model.capabilities)
        voice = self._voices.make_for_job(owner_id, prompt, params.transcript, consent)
        try:
            submission = self._speak(owner_id, params, model, voice, key)
        except BaseException:
            self._voices.delete(owner_id, voice.uid)
            raise
        if submission.repeated:
            self._voices.delete(owner_id, voice.uid)
        return submission

    def _speak(
        self, owner_id: int, params: SpeakParams, model: SynthesizerModel, voice: VoiceRow | None, key: SubmissionKey
    ) -> Submission:
        check_text(params, model.capabilities)
        if voice is not None:
            check_prompt(voice, model.capabilities)
        text = pauses.spoken(params.text)
        readings = self._lexicon.frozen_for(text, model.capabilities)
        model.check_text(Lexicon(readings).apply(text))
        check_space(self._settings)
        frozen = {
            **params.model_dump(mode="json"),
            "model": model.name,
            "language": _language(params.language, model),
            "voice": voice.name if voice else BUILTIN,
            "lexicon": readings,
        }
        interactive = len(params.text) <= INTERACTIVE_CHARACTERS and key.batch is None
        job = replace(
            _template(SPEAK, model, frozen, self._models.device_for(params.device)),
            priority=INTERACTIVE if interactive else 0,
            batch=key.batch,
            text=params.text,
            voice_id=voice.id if voice else None,
            warnings=(*_prompt_warnings(voice), *_speak_warnings(params, model.capabilities)),
        )
        return self._write(owner_id, [job], key)

    def _speaker(self, params: SpeakParams, cloned: bool) -> SynthesizerModel:
        """The model asked for. For the builtin voice the default is one that has a voice of its own.

        Raises MODEL_…, NOT_CAPABLE for the builtin voice of a model that has none.
        """
        present = self._models.present()
        model = present.resolve(params.model, SynthesizerModel)
        if cloned or model.capabilities.own_voice:
            return model
        if params.model in DEFAULTS and (other := present.with_own_voice()) is not None:
            return other
        raise UserError("NOT_CAPABLE", param="voice", model=model.name, feature=Notice("BUILTIN_VOICE"))

    def _submit_files(
        self,
        owner_id: int,
        uploads: Sequence[Upload],
        template: NewJob,
        key: SubmissionKey,
    ) -> Submission:
        """One job like `template` for every recording; files that are none are left out and named."""
        with self._recordings(owner_id, uploads, key) as recordings:
            found = examine(self._decoder, recordings, key.go_on)
            batch = key.batch or (uuid.uuid4().hex if len(recordings) > 1 else None)
            jobs = [
                replace(
                    template,
                    uid=new_uid(),
                    batch=batch,
                    priority=_priority(info, batch),
                    file_name=safe_name(upload.name),
                )
                for upload, info in found.recordings
            ]
            submission = self._write(owner_id, jobs, key, [upload for upload, _ in found.recordings])
            return replace(submission, refused=found.refused)

    @contextlib.contextmanager
    def _recordings(self, owner_id: int, uploads: Sequence[Upload], key: SubmissionKey) -> Iterator[list[Upload]]:
        """The uploads with archives unpacked; what was not moved away is removed.

        What the whole request asks for is known, and admitted, before the first file is looked at.
        """
        recordings: list[Upload] = []
        try:
            if not uploads:
                raise UserError("FILE_REQUIRED", param="file")
            check_space(self._settings)
            self._admit(owner_id, uploads, key)
            room = archives.MAX_TOTAL_BYTES
            for upload in uploads:
                if not archives.is_archive(upload.path):
                    recordings.append(upload)
                    continue
                unpacked = archives.unpack(upload, incoming_folder(self._settings), room, key.go_on)
                room -= sum(recording.size for recording in unpacked)
                recordings += unpacked
            yield recordings
        finally:
            for upload in (*uploads, *recordings):
                upload.discard()

    def _admit(self, owner_id: int, uploads: Sequence[Upload], key: SubmissionKey) -> None:
        """Raises BAD_REQUEST for more than MAX_RECORDINGS, BAD_ARCHIVE, QUEUE_FULL."""
        count = 0
        for upload in uploads:
            key.go_on()
            count += archives.count(upload) if archives.is_archive(upload.path) else 1
        if count > MAX_RECORDINGS:
            raise UserError("BAD_REQUEST", param="file", reason=Notice("TOO_MANY_RECORDINGS", {"most": MAX_RECORDINGS}))
        limit = self._settings.max_queued_jobs
        self._store.check_room(owner_id, count, idempotency_key=key.key, max_queued=limit)

    def _write(
        self, owner_id: int, jobs: list[NewJob], key: SubmissionKey, recordings: Sequence[Upload] = ()
    ) -> Submission:
        """Files first, then the rows: a row never names a file that is not there."""
        limit = self._settings.max_queued_jobs
        try:
            for at, recording in enumerate(recordings):
                key.go_on()
                jobs[at] = replace(jobs[at], input=_place(self._settings, jobs[at].uid, recording))
            submission = self._store.submit(owner_id, jobs, idempotency_key=key.key, max_queued=limit)
        except BaseException:
            self._remove_unless_taken_in(jobs)
            raise
        if submission.repeated:
            self._remove(jobs)
            if not _same(submission.jobs, jobs):
                raise UserError("IDEMPOTENCY_KEY_REUSED", param="Idempotency-Key", key=key.key)
        return submission

    def _remove_unless_taken_in(self, jobs: Sequence[NewJob]) -> None:
        """What failed may have failed after the commit; where the database does not say, the recordings stay."""
        with contextlib.suppress(UserError, DatabaseError):
            known = self._store.known([job.uid for job in jobs])
            self._remove([job for job in jobs if job.uid not in known])

    def _remove(self, jobs: Sequence[NewJob]) -> None:
        for job in jobs:
            shutil.rmtree(self._settings.uploads / job.uid, ignore_errors=True)


def check_text(params: SpeakParams, capabilities: SynthesizerCapabilities) -> None:
    """Raises TEXT_TOO_LONG, INSTRUCT_TOO_LONG, PAUSE_…, UNKNOWN_PRONUNCIATION or NOTHING_TO_SAY."""
    if len(params.text) > MAX_TEXT:
        raise UserError("TEXT_TOO_LONG", param="text", length=len(params.text), most=MAX_TEXT)
    length, most = len(params.instruct.strip()), capabilities.instruct_characters
    if capabilities.instruct and length > most:
        raise UserError("INSTRUCT_TOO_LONG", param="instruct", length=length, most=most)
    text = pauses.spoken(params.text)
    parse(text)
    if not speakable(text):
        raise UserError("NOTHING_TO_SAY", param="text")


def check_prompt(voice: VoiceRow, capabilities: SynthesizerCapabilities) -> None:
    """Raises PROMPT_RATE for a voice whose recording has fewer samples a second than the model needs."""
    for finding in voice.findings:
        if finding.code == "PROMPT_RATE" and finding.params["rate"] < capabilities.prompt_rate:
            raise finding.as_error(param="voice")


def _language(asked: str, model: RecognizerModel | SynthesizerModel) -> str:
    """What is recognised undependably is not refused: such a model is not asked to guess, and its job ends
    MODEL_NEEDED. Raises LANGUAGE_UNSUPPORTED."""
    languages = model.capabilities.languages
    if isinstance(model, RecognizerModel) and not model.dependable:
        return languages[0] if asked == "auto" and languages else asked
    if asked != "auto" and languages and not is_among(asked, languages):
        known = ", ".join(languages)
        raise UserError("LANGUAGE_UNSUPPORTED", param="language", model=model.name, language=asked, available=known)
    return asked


def _transcribe_warnings(params: TranscribeParams, capabilities: RecognizerCapabilities) -> tuple[Notice, ...]:
    asked = {"hotwords": bool(params.hotwords), "speakers": params.diarize}
    able = {"hotwords": capabilities.hotwords, "speakers": capabilities.speakers or params.channels == "split"}
    codes = {"hotwords": "HOTWORDS_UNSUPPORTED", "speakers": "SPEAKERS_UNSUPPORTED"}
    return tuple(_unable(name, codes[name], capabilities) for name in asked if asked[name] and not able[name])


def _prompt_warnings(voice: VoiceRow | None) -> tuple[Notice, ...]:
    """What was found about a prompt that came with the job; a saved voice shows it on the Voices tab."""
    return () if voice is None or voice.saved else tuple(voice.findings)


def _speak_warnings(params: SpeakParams, capabilities: SynthesizerCapabilities) -> tuple[Notice, ...]:
    marks = _mark_warnings(params.text)
    if not params.instruct or capabilities.instruct:
        return marks
    return (*marks, _unable("instruct", "INSTRUCT_UNSUPPORTED", capabilities))


def _mark_warnings(text: str) -> tuple[Notice, ...]:
    """What of a text's marks is not done as it is written."""
    tags = ", ".join(f"<{name}>" for name in ssml.tags(text)[:MAX_NAMED])
    cut = ", ".join(mark[: pauses.MOST_SHOWN] for mark in pauses.shortened(text)[:MAX_NAMED])
    shortened = Notice("PAUSES_SHORTENED", {"most": round(pauses.MOST_SECONDS), "marks": cut})
    return (*((Notice("SSML_LEFT_OUT", {"tags": tags}),) if tags else ()), *((shortened,) if cut else ()))


def _unable(control: str, default: str, capabilities: Capabilities) -> Notice:
    return Notice(capabilities.unavailable.get(control, default))


def _template(kind: str, model: RecognizerModel | SynthesizerModel, frozen: dict[str, Any], device: str) -> NewJob:
    return NewJob(
        uid=new_uid(),
        kind=kind,
        params=frozen,
        model=model.name,
        model_revision=model.revision,
        device=device,
    )


def _priority(info: AudioInfo, batch: str | None) -> int:
    short = info.seconds is not None and info.seconds <= INTERACTIVE_SECONDS
    return INTERACTIVE if short and batch is None else 0


def _same(first: Sequence[JobRow], again: Sequence[NewJob]) -> bool:
    """Whether a submission under a known key asks for what the first one did; what was deleted since is passed over."""
    wanted = [(job.kind, dict(job.params), job.input.sha256 if job.input else None) for job in again]
    known = [(row.kind, dict(row.params), row.input_sha256) for row in first]
    pairs = zip(known, wanted, strict=False)
    return len(known) == len(wanted) and all(old == new for old, new in pairs if old[1])


def _place(settings: Settings, uid: str, upload: Upload) -> ArtifactRow:
    """Move the recording to its job's folder, under a name of ours."""
    suffix = Path(upload.name.replace("\\", "/")).suffix
    suffix = suffix.lower() if _EXTENSION.fullmatch(suffix) else ""
    target = settings.uploads / uid / f"original{suffix}"
    upload.move_to(target)
    path = str(target.relative_to(settings.data))
    return ArtifactRow("input", path, sha256=upload.sha256, bytes=upload.size)
