"""Voices, the consents they rest on, and the features that engines keep of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, delete, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from webui.errors import UserError
from webui.store import audit, tombstones
from webui.store.database import Database
from webui.store.rows import ConsentRow, NewConsent, NewVoice, VoiceRow, build, columns, now_ms
from webui.store.schema import voice_consents, voice_features, voices


class VoiceStore:
    """A voice is usable only while a consent for it is live."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, voice: NewVoice, consent: NewConsent) -> VoiceRow:
        """Raises UserError VOICE_EXISTS where the owner has a saved voice of that name."""
        with self._database.write() as connection:
            if voice.saved and _named(connection, voice.owner_id, voice.name):
                raise UserError("VOICE_EXISTS", param="name", voice=voice.name)
            values = {**vars(voice), "findings": list(voice.findings), "created_at": now_ms()}
            voice_id = connection.execute(insert(voices).values(values)).lastrowid
            _add_consent(connection, voice_id, voice.owner_id, consent)
            audit.record(connection, "voice.add", voice.uid, voice.owner_id, basis=consent.basis)
            return build(VoiceRow, connection.execute(_alive().where(voices.c.id == voice_id)).one())

    def visible(self, owner_id: int) -> list[VoiceRow]:
        """The owner's saved voices and the shared ones, by name."""
        query = _alive().where(voices.c.saved, _seen_by(owner_id)).order_by(voices.c.name, voices.c.id)
        with self._database.read() as connection:
            return [build(VoiceRow, row) for row in connection.execute(query)]

    def find(self, owner_id: int, name_or_uid: str) -> VoiceRow | None:
        """By uid or name among the owner's own and shared voices; the owner's own wins."""
        wanted = or_(voices.c.uid == name_or_uid, (voices.c.name == name_or_uid) & (voices.c.saved))
        query = _alive().where(wanted, _seen_by(owner_id)).order_by(voices.c.owner_id != owner_id, voices.c.id).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else build(VoiceRow, row)

    def get(self, voice_id: int) -> VoiceRow | None:
        with self._database.read() as connection:
            row = connection.execute(_alive().where(voices.c.id == voice_id)).one_or_none()
            return None if row is None else build(VoiceRow, row)

    def consents(self, voice_id: int) -> list[ConsentRow]:
        """Newest first."""
        query = select(*columns(voice_consents, ConsentRow)).where(voice_consents.c.voice_id == voice_id)
        with self._database.read() as connection:
            return [build(ConsentRow, row) for row in connection.execute(query.order_by(voice_consents.c.id.desc()))]

    def usable(self, voice_id: int) -> bool:
        """Whether a live consent stands behind the voice now."""
        at = now_ms()
        return any(consent.live(at) for consent in self.consents(voice_id))

    def add_consent(self, owner_id: int, uid: str, consent: NewConsent) -> None:
        """A further consent for the owner's own voice. Raises UserError VOICE_NOT_FOUND."""
        with self._database.write() as connection:
            _add_consent(connection, _own(connection, owner_id, uid).id, owner_id, consent)
            audit.record(connection, "voice.consent", uid, owner_id, basis=consent.basis)

    def change(
        self,
        owner_id: int,
        uid: str,
        *,
        name: str | None = None,
        transcript: str | None = None,
        shared: bool | None = None,
    ) -> VoiceRow:
        """Change what is given. Raises UserError VOICE_NOT_FOUND, VOICE_EXISTS."""
        given = {"name": name, "transcript": transcript, "shared": shared}
        values = {key: value for key, value in given.items() if value is not None}
        with self._database.erase() as connection:
            voice = _own(connection, owner_id, uid)
            if name is not None and name != voice.name and _named(connection, owner_id, name):
                raise UserError("VOICE_EXISTS", param="name", voice=name)
            if values:
                connection.execute(update(voices).where(voices.c.id == voice.id).values(values))
                audit.record(connection, "voice.change", uid, owner_id, fields=sorted(values))
            if transcript is not None and transcript != voice.transcript:
                connection.execute(delete(voice_features).where(voice_features.c.voice_id == voice.id))
            return _own(connection, owner_id, uid)

    def revoke(self, owner_id: int, uid: str) -> None:
        """Withdraw every consent: the voice stays in the list but cannot speak. Raises UserError VOICE_NOT_FOUND."""
        with self._database.erase() as connection:
            voice = _own(connection, owner_id, uid)
            live = (voice_consents.c.voice_id == voice.id) & voice_consents.c.revoked_at.is_(None)
            connection.execute(update(voice_consents).where(live).values(revoked_at=now_ms()))
            connection.execute(delete(voice_features).where(voice_features.c.voice_id == voice.id))
            audit.record(connection, "voice.revoke", uid, owner_id)

    def delete(self, owner_id: int, uid: str) -> list[str]:
        """Forget the voice and its features; consents stay as the record. Returns the files to remove, below data/.

        Raises UserError VOICE_NOT_FOUND.
        """
        with self._database.erase() as connection:
            voice = _own(connection, owner_id, uid)
            gone = {"deleted_at": now_ms(), **tombstones.blanks(voices)}
            connection.execute(update(voices).where(voices.c.id == voice.id).values(gone))
            tombstones.drop_belongings(connection, voices, voice.id)
            audit.record(connection, "voice.delete", uid, owner_id)
            return [voice.prompt_path]

    def features(self, voice_id: int, engine: str, revision: str) -> bytes | None:
        """What an engine enrolled before (`VoiceFeatures.to_bytes`), for exactly this model revision."""
        key = (voice_features.c.engine == engine) & (voice_features.c.revision == revision)
        query = select(voice_features.c.data).where(voice_features.c.voice_id == voice_id, key)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def keep_features(self, voice_id: int, engine: str, revision: str, data: bytes) -> None:
        at = now_ms()
        row = {"voice_id": voice_id, "engine": engine, "revision": revision, "data": data, "created_at": at}
        kept = upsert(voice_features).values(row)
        kept = kept.on_conflict_do_update(index_elements=["voice_id", "engine", "revision"], set_={"data": data})
        with self._database.write() as connection:
            connection.execute(kept)


def _alive() -> Select[Any]:
    return select(*columns(voices, VoiceRow)).where(voices.c.deleted_at.is_(None))


def _seen_by(owner_id: int) -> Any:
    return or_(voices.c.owner_id == owner_id, voices.c.shared)


def _named(connection: Connection, owner_id: int, name: str) -> bool:
    query = _alive().where(voices.c.owner_id == owner_id, voices.c.name == name, voices.c.saved)
    return connection.execute(query).first() is not None


def _own(connection: Connection, owner_id: int, uid: str) -> VoiceRow:
    row = connection.execute(_alive().where(voices.c.owner_id == owner_id, voices.c.uid == uid)).one_or_none()
    if row is None:
        raise UserError("VOICE_NOT_FOUND", voice=uid)
    return build(VoiceRow, row)


def _add_consent(connection: Connection, voice_id: int, owner_id: int, consent: NewConsent) -> None:
    values = {**vars(consent), "voice_id": voice_id, "recorded_by": owner_id, "obtained_at": now_ms()}
    connection.execute(insert(voice_consents).values(values))
