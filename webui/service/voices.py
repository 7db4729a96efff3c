"""Voices: kept only with a consent, usable only while one is live."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.audio.encode import AudioWriter
from webui.audio.intake import Decoder
from webui.audio.prompts import Prompt, read_prompt
from webui.disk import sha256
from webui.errors import UserError
from webui.jobs.params import Consent
from webui.service.uploads import Upload, check_space
from webui.service.validation import invalid
from webui.settings import Settings
from webui.store.jobs import new_uid
from webui.store.rows import ConsentRow, NewConsent, NewVoice, VoiceRow, now_ms
from webui.store.voices import VoiceStore
from webui.text.file_names import safe_name

BUILTIN = "builtin"
PRESETS = frozenset(
    {
        BUILTIN,
        "alloy",
        "ash",
        "ballad",
        "cedar",
        "coral",
        "echo",
        "fable",
        "marin",
        "nova",
        "onyx",
        "sage",
        "shimmer",
        "verse",
    }
)
MAX_NAME = 100
MAX_TRANSCRIPT = 2000


@dataclass(frozen=True)
class VoiceChange:
    """None = as it is."""

    name: str | None = None
    transcript: str | None = None
    shared: bool | None = None


@dataclass(frozen=True)
class KnownVoice:
    """`consents`: newest first; `usable`: one of them is live now."""

    row: VoiceRow
    consents: Sequence[ConsentRow]
    usable: bool


class VoiceService:
    def __init__(self, settings: Settings, store: VoiceStore, decoder: Decoder) -> None:
        self._settings = settings
        self._store = store
        self._decoder = decoder

    def listing(self, owner_id: int) -> list[KnownVoice]:
        """The owner's voices and the shared ones, by name."""
        return [self._known(row) for row in self._store.visible(owner_id)]

    def get(self, owner_id: int, name_or_uid: str) -> KnownVoice:
        return self._known(self._found(owner_id, name_or_uid))

    def create(
        self,
        owner_id: int,
        upload: Upload | None,
        name: str,
        transcript: str = "",
        consent: Consent | None = None,
        *,
        shared: bool = False,
    ) -> KnownVoice:
        """Keep a voice. Raises CONSENT_REQUIRED, VOICE_NAME_RESERVED, VOICE_EXISTS, PROMPT_…, and decoding errors."""
        try:
            name = checked_name(name)
            row = self._enrol(owner_id, upload, name, transcript, consent, saved=True, shared=shared)
        finally:
            if upload is not None:
                upload.discard()
        return self._known(row)

    def make_for_job(self, owner_id: int, upload: Upload, transcript: str, consent: Consent | None) -> VoiceRow:
        """A voice that one job uses and that no list shows."""
        try:
            return self._enrol(owner_id, upload, Path(safe_name(upload.name)).stem, transcript, consent, saved=False)
        finally:
            upload.discard()

    def to_use(self, owner_id: int, name_or_uid: str) -> VoiceRow | None:
        """The voice meant, None for `builtin` and OpenAI's presets. Raises VOICE_NOT_FOUND, CONSENT_EXPIRED."""
        if name_or_uid.lower() in PRESETS:
            return None
        row = self._found(owner_id, name_or_uid)
        if not self._store.usable(row.id):
            raise UserError("CONSENT_EXPIRED", param="voice", voice=row.name)
        return row

    def check_consent(self, voice_id: int, name: str) -> None:
        """For what was made with a voice, which may have been deleted since. Raises CONSENT_EXPIRED."""
        if not self._store.usable(voice_id):
            raise UserError("CONSENT_EXPIRED", param="voice", voice=name)

    def change(self, owner_id: int, uid: str, change: VoiceChange) -> KnownVoice:
        """Raises VOICE_NOT_FOUND for another's voice, VOICE_EXISTS, VOICE_NAME_RESERVED."""
        name = None if change.name is None else checked_name(change.name)
        transcript = None if change.transcript is None else _checked_transcript(change.transcript)
        row = self._store.change(owner_id, uid, name=name, transcript=transcript, shared=change.shared)
        return self._known(row)

    def renew_consent(self, owner_id: int, uid: str, consent: Consent) -> KnownVoice:
        """A further consent, where the first has expired. Raises VOICE_NOT_FOUND, MISSING_INPUT after a revocation."""
        if not self._prompt_path(self._found(owner_id, uid)).is_file():
            raise UserError("MISSING_INPUT")
        self._store.add_consent(owner_id, uid, _new_consent(consent))
        return self.get(owner_id, uid)

    def revoke(self, owner_id: int, uid: str) -> KnownVoice:
        """Withdraw the consent: the recording and everything computed from it go, the record stays."""
        self._store.revoke(owner_id, uid)
        row = self._found(owner_id, uid)
        self._prompt_path(row).unlink(missing_ok=True)
        return self._known(row)

    def delete(self, owner_id: int, uid: str) -> None:
        """Forget the voice; consents stay as the record."""
        for path in self._store.delete(owner_id, uid):
            (self._settings.data / path).unlink(missing_ok=True)

    def forget_if_unsaved(self, owner_id: int, voice_id: int) -> None:
        """Delete the voice that was made for one job."""
        row = self._store.get(voice_id)
        if row is not None and not row.saved:
            self.delete(owner_id, row.uid)

    def prompt_file(self, owner_id: int, uid: str) -> Path:
        """The prompt as a WAV: who may speak with a voice may hear it. Raises VOICE_NOT_FOUND, MISSING_INPUT."""
        path = self._prompt_path(self._found(owner_id, uid))
        if not path.is_file():
            raise UserError("MISSING_INPUT")
        return path

    def _enrol(
        self,
        owner_id: int,
        upload: Upload | None,
        name: str,
        transcript: str,
        consent: Consent | None,
        *,
        saved: bool,
        shared: bool = False,
    ) -> VoiceRow:
        transcript = _checked_transcript(transcript)
        if consent is None or not consent.subject.strip():
            raise UserError("CONSENT_REQUIRED", param="consent")
        if upload is None:
            raise UserError("FILE_REQUIRED", param="file")
        check_space(self._settings)
        prompt = read_prompt(self._decoder, upload.path, safe_name(upload.name))
        uid = new_uid()
        path = self._settings.voices / f"{uid}.wav"
        digest = _write_prompt(path, prompt)
        voice = NewVoice(
            uid=uid,
            owner_id=owner_id,
            name=name,
            transcript=transcript,
            prompt_path=path.relative_to(self._settings.data).as_posix(),
            prompt_sha256=digest,
            seconds=prompt.seconds,
            findings=prompt.findings,
            shared=shared,
            saved=saved,
        )
        try:
            return self._store.add(voice, _new_consent(consent))
        except BaseException:
            if self._store.find(owner_id, uid) is None:  # what failed may have failed after the commit
                path.unlink(missing_ok=True)
            raise

    def _found(self, owner_id: int, name_or_uid: str) -> VoiceRow:
        row = self._store.find(owner_id, name_or_uid)
        if row is None:
            raise UserError("VOICE_NOT_FOUND", param="voice", voice=name_or_uid)
        return row

    def _prompt_path(self, row: VoiceRow) -> Path:
        return self._settings.data / row.prompt_path

    def _known(self, row: VoiceRow) -> KnownVoice:
        consents, now = self._store.consents(row.id), now_ms()
        return KnownVoice(row, consents, any(consent.live(now) for consent in consents))


def checked_name(name: str) -> str:
    """A voice's name as it is kept. Raises INVALID_FIELD, VOICE_NAME_RESERVED."""
    name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    name = " ".join(name.split())
    if not name:
        raise invalid("name", "FIELD_MISSING")
    if len(name) > MAX_NAME:
        raise invalid("name", "FIELD_TOO_LONG", most=MAX_NAME)
    if name.lower() in PRESETS:
        raise UserError("VOICE_NAME_RESERVED", param="name", voice=name)
    return name


def _checked_transcript(transcript: str) -> str:
    if len(transcript) > MAX_TRANSCRIPT:
        raise invalid("transcript", "FIELD_TOO_LONG", most=MAX_TRANSCRIPT)
    return transcript.strip()


def _new_consent(consent: Consent) -> NewConsent:
    expires = consent.expires_at
    return NewConsent(
        basis=consent.basis,
        subject=consent.subject.strip(),
        evidence=consent.evidence,
        expires_at=None if expires is None else int(expires.timestamp() * 1000),
    )


def _write_prompt(path: Path, prompt: Prompt) -> str:
    """Write the bytes that the model will open; their SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with AudioWriter(path, "wav", prompt.rate) as writer:
        writer.write(prompt.samples)
    return sha256(path)
