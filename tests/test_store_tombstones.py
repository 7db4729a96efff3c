"""What a deletion wipes: everything but what is listed here, also columns and tables that come later."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from tests.jobs_kit import Store, open_store
from webui.store import tombstones
from webui.store.hotwords import HotwordStore
from webui.store.jobs import new_uid
from webui.store.rows import NewConsent, NewVoice
from webui.store.schema import (
    audit,
    counters,
    hotword_lists,
    jobs,
    metadata,
    owners,
    segments,
    settings,
    voice_consents,
    voices,
)

# Who, when, what kind and how much, for the queue, `changes` and the audit; no content and no name.
JOB_KEEPS = """
    id uid owner_id batch kind state stage priority model model_revision device devices input_bytes duration_ms language
    seg_total seg_done seg_failed work_ms prepare_progress attempt lease_epoch lease_boot cancel_requested_at version
    created_at started_at finished_at deleted_at
"""
# Which recording the consents stood for: they stay, as the record that the voice was used by right.
VOICE_KEEPS = "id uid owner_id prompt_path prompt_sha256 seconds findings shared saved created_at deleted_at"
# By what right a voice was used: the whole of it stays, with the subject and the evidence.
CONSENT_KEEPS = "id voice_id basis subject evidence recorded_by obtained_at expires_at revoked_at"
# A number and a hash of a cookie; `name` is `api`, `local` or nothing.
OWNER_KEEPS = "id token_hash name vtime weight created_at last_seen"
# Default models, the device, the organisation's lexicon, measurements of the machine: an administrator's, not a job's.
SETTING_KEEPS = "key value"
COUNTER_KEEPS = "name value"  # a number
# Who did what when to which uid; `audit.record` takes no text and no name of a job or a voice into `detail`.
AUDIT_KEEPS = "id at owner_id action object detail"
KEEPS = {
    jobs: JOB_KEEPS,
    voices: VOICE_KEEPS,
    voice_consents: CONSENT_KEEPS,
    owners: OWNER_KEEPS,
    settings: SETTING_KEEPS,
    counters: COUNTER_KEEPS,
    audit: AUDIT_KEEPS,
}
GO_AS_ROWS = {"jobs": {"segments", "artifacts"}, "voices": {"voice_features"}}  # with the job, the voice
GOES_BY_ITSELF = {"hotword_lists"}  # what is deleted is the row
STAY_AS_RECORD = {"voice_consents"}

LATER = """
import sys
from pathlib import Path
from sqlalchemy import Column, ForeignKey, Integer, Table, Text, insert, text
from webui.store.schema import jobs, metadata, private
jobs.append_column(Column("caller", Text, nullable=False, server_default="", info=private("")))
notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("note", Text),
)
from tests.jobs_kit import open_store
store = open_store(Path(sys.argv[1]))
job = store.finished("绝密")
other = store.finished("留下")
with store.database.write() as connection:
    connection.execute(text("ALTER TABLE jobs ADD COLUMN caller TEXT NOT NULL DEFAULT ''"))
    notes.create(connection)
    connection.execute(jobs.update().values(caller="张三"))
    connection.execute(insert(notes), [{"job": job.id, "note": "保密"}, {"job": other.id, "note": "公开"}])
store.jobs.delete(job.owner_id, job.uid)
with store.database.read() as connection:
    print(connection.execute(text("SELECT group_concat(caller, '|') FROM jobs")).scalar_one())
    print(connection.execute(text("SELECT group_concat(note, '|') FROM notes")).scalar_one())
"""


@pytest.mark.parametrize("table", KEEPS, ids=str)
def test_every_column_is_wiped_or_listed_as_what_a_deletion_leaves(table: Table) -> None:
    private, kept = set(tombstones.blanks(table)), set(KEEPS[table].split())
    assert private.isdisjoint(kept)
    assert private | kept == {column.name for column in table.columns}


def test_every_table_goes_as_rows_or_has_a_list_of_what_stays() -> None:
    going = set.union(GOES_BY_ITSELF, *GO_AS_ROWS.values())
    assert going.isdisjoint(table.name for table in KEEPS)
    assert going | {table.name for table in KEEPS} == set(metadata.tables)


def test_a_deleted_voice_keeps_its_consents_whole_and_a_deleted_hotword_list_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "history.db")
    owner = store.accounts.by_name("local").id
    lists = HotwordStore(store.database)
    for name in ("gone", "kept"):
        lists.keep(owner, name, ["绝密"], 9)
    uid = new_uid()
    consent = NewConsent("written", "张三", evidence="合同 7")
    voice = store.voices.add(NewVoice(uid, owner, "张", "你好", "voices/a.wav", "0" * 64, 3.0), consent)
    before = rows_of(store, voice_consents)
    store.voices.delete(owner, voice.uid)
    assert lists.delete(owner, "gone")
    assert before and rows_of(store, voice_consents) == before
    assert [row.name for row in rows_of(store, hotword_lists)] == ["kept"]


def rows_of(store: Store, table: Table) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.execute(select(table)))


def test_every_table_that_refers_to_jobs_and_voices_is_emptied_or_stays_as_the_record() -> None:
    for name, gone in GO_AS_ROWS.items():
        referring = {
            table.name
            for table in metadata.sorted_tables
            if any(key.column.table.name == name for key in table.foreign_keys)
        }
        assert referring - STAY_AS_RECORD - {"jobs"} == gone


def test_a_personal_column_and_table_of_a_later_version_are_wiped_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LATER, str(tmp_path / "history.db")]
    ran = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=60)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["|张三", "公开"]


SECRET = "绝密之名"


def delete_job(store: Store) -> None:
    job = store.finished(SECRET)
    store.jobs.delete(job.owner_id, job.uid)


def rename_speaker(store: Store) -> None:
    job = store.finished("x")
    with store.database.write() as connection:
        connection.execute(segments.update().values(speaker=SECRET))
    store.jobs.rename_speaker(job.owner_id, job.uid, SECRET, "somebody")


def made_voice(store: Store) -> tuple[int, str]:
    owner, uid = store.owner().id, new_uid()
    voice = NewVoice(uid, owner, SECRET, SECRET, "voices/a.wav", "0" * 64, 3.0)
    store.voices.add(voice, NewConsent("self", "x"))
    return owner, uid


def delete_voice(store: Store) -> None:
    store.voices.delete(*made_voice(store))


def change_voice(store: Store) -> None:
    store.voices.change(*made_voice(store), name="a", transcript="b")


def delete_list(store: Store) -> None:
    lists = HotwordStore(store.database)
    lists.keep(store.owner().id, "l", [SECRET], 9)
    lists.delete(store.owner().id, "l")


def replace_list(store: Store) -> None:
    lists = HotwordStore(store.database)
    for word in (SECRET, "x"):
        lists.keep(store.owner().id, "l", [word], 9)


@pytest.mark.parametrize("remove", [delete_job, rename_speaker, delete_voice, change_voice, delete_list, replace_list])
def test_f11_what_was_deleted_or_replaced_is_nowhere_in_the_files(
    tmp_path: Path, remove: Callable[[Store], None]
) -> None:
    store = open_store(tmp_path / "history.db")
    remove(store)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("history.db*"))
    assert b"jobs" in written and SECRET.encode() not in written
