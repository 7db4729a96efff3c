"""Backups put back, by the book: nothing that came after one is lost, and what is not sound changes nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.jobs_kit import open_store
from tests.test_data_folder import accept, recording_of, refused, remove_database
from webui.cli.application import main
from webui.disk import sha256
from webui.errors import UserError
from webui.jobs.recovery import WorkLock
from webui.settings import Settings
from webui.store.data_folder import open_data_folder
from webui.store.jobs import JobStore, new_uid
from webui.store.maintenance import back_up, check
from webui.store.migrate import DatabaseRefused
from webui.store.restore import restore
from webui.store.rows import ArtifactRow, NewConsent, NewVoice, SegmentResult
from webui.store.states import FAILED, PARTIAL
from webui.store.voices import VoiceStore


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


def jobs_of(settings: Settings) -> set[str]:
    """Those that the folder's database lists; the start is not refused."""
    with closing(open_data_folder(settings)) as database:
        uids = [folder.name for folder in settings.uploads.iterdir()]
        return JobStore(database).known(uids)


def run(settings: Settings, *arguments: str) -> int:
    return main(["--data", str(settings.data), "--models", str(settings.models), *arguments])


def quarantined(settings: Settings) -> set[str]:
    """Paths below the folders of the quarantine."""
    found = (path.relative_to(settings.quarantine) for path in settings.quarantine.rglob("*") if path.is_file())
    return {Path(*path.parts[1:]).as_posix() for path in found}


def test_f1b_the_restore_of_the_book_loses_no_recording_made_after_the_backup(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monday = accept(settings)
    assert run(settings, "backup", str(tmp_path / "backup"), "--media") == 0
    tuesday = accept(settings)
    assert run(settings, "restore", str(tmp_path / "backup")) == 0
    assert run(settings, "check") == 0
    assert jobs_of(settings) == {monday.uid}
    assert quarantined(settings) == {f"uploads/{tuesday.uid}/original.wav", "history.db"}
    assert str(settings.quarantine) in capsys.readouterr().out


def test_the_database_so_far_can_be_put_back_in_its_turn(settings: Settings, tmp_path: Path) -> None:
    monday = accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    tuesday = accept(settings)
    aside = restore(settings, copy).quarantine
    shutil.move(aside / "uploads" / tuesday.uid, settings.uploads)
    assert restore(settings, aside / "history.db").verified is False
    assert jobs_of(settings) == {monday.uid, tuesday.uid}


def test_the_database_that_was_replaced_is_another_one_from_then_on(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    for _ in range(3):
        accept(settings)
    aside = restore(settings, copy).quarantine
    accept(settings)
    remove_database(settings)
    shutil.copy(aside / "history.db", settings.database)
    assert refused(settings) == "DATABASE_OTHER"


def test_what_stands_in_a_databases_log_is_restored_with_it(settings: Settings, tmp_path: Path) -> None:
    """As it does beside one that was damaged or in use when it was set aside."""
    open_data_folder(settings).close()
    (aside := tmp_path / "aside").mkdir()
    store = open_store(settings.database)
    job = store.submit()
    recording_of(settings, job.uid)
    for suffix in ("", "-wal"):
        shutil.copy(settings.database.with_name(f"history.db{suffix}"), aside)
    store.database.close()
    restore(settings, aside / "history.db")
    assert jobs_of(settings) == {job.uid}


@pytest.mark.parametrize("lost", [remove_database, lambda settings: settings.database.write_bytes(b"torn" * 999)])
def test_a_lost_or_damaged_database_is_replaced(
    settings: Settings, tmp_path: Path, lost: Callable[[Settings], object]
) -> None:
    monday = accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    lost(settings)
    restore(settings, copy)
    assert jobs_of(settings) == {monday.uid} and check(settings.database) == []


def test_an_empty_machine_gets_its_recordings_from_the_backup(settings: Settings, tmp_path: Path) -> None:
    monday = accept(settings)
    back_up(settings, tmp_path / "backup", media=True)
    elsewhere = settings.model_copy(update={"data": tmp_path / "elsewhere"})
    done = restore(elsewhere, tmp_path / "backup")
    assert (done.missing, done.verified) == (0, True)
    assert (elsewhere.uploads / monday.uid / "original.wav").read_bytes() == monday.uid.encode()
    assert jobs_of(elsewhere) == {monday.uid}


def test_a_backup_without_media_says_how_many_files_are_nowhere(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = with_input(settings)
    back_up(settings, tmp_path / "backup")
    elsewhere = settings.model_copy(update={"data": tmp_path / "elsewhere"})
    assert run(elsewhere, "restore", str(tmp_path / "backup")) == 3
    assert run(elsewhere, "check") == 0
    assert run(elsewhere, "check", "--media") == 1
    assert f"uploads/{job}/original.wav: no such file" in capsys.readouterr().err


def with_input(settings: Settings) -> str:
    """A job whose recording its row names."""
    uid = new_uid()
    store = open_store(settings.database)
    path = recording_of(settings, uid).relative_to(settings.data)
    store.submit(uid=uid, input=ArtifactRow("input", str(path), sha256="0" * 64))
    store.database.close()
    return uid


def test_check_media_names_what_is_not_what_it_was(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    uid = with_input(settings)
    assert run(settings, "check", "--media") == 1
    assert f"uploads/{uid}/original.wav: does not match" in capsys.readouterr().err


def damage(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[5000:9000] = bytes(4000)
    copy.write_bytes(content)


def forget_manifest_and_damage(copy: Path) -> None:
    (copy.parent / "manifest.json").unlink()
    damage(copy)


def another_program(copy: Path) -> None:
    (copy.parent / "manifest.json").unlink()
    copy.unlink()
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")


def newer(copy: Path) -> None:
    (copy.parent / "manifest.json").unlink()
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def forget_the_jobs(copy: Path) -> None:
    """SQLite finds nothing wrong with it."""
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM jobs")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (damage, "BACKUP_DAMAGED"),
        (forget_manifest_and_damage, "BACKUP_DAMAGED"),
        (forget_the_jobs, "BACKUP_DAMAGED"),
        (another_program, "DATABASE_FOREIGN"),
        (newer, "DATABASE_NEWER"),
        (Path.unlink, "BACKUP_NONE"),
    ],
)
def test_a_backup_that_is_not_sound_changes_nothing(
    settings: Settings, tmp_path: Path, change: Callable[[Path], object], code: str
) -> None:
    accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    accept(settings)
    change(copy)
    before = {path: path.stat().st_mtime_ns for path in settings.data.rglob("*")}
    with pytest.raises((UserError, DatabaseRefused)) as caught:
        restore(settings, copy)
    assert {path: path.stat().st_mtime_ns for path in settings.data.rglob("*") if path != settings.data} == {
        path: stamp for path, stamp in before.items() if path != settings.data
    }
    assert caught.value.code == code and ".part" not in str(caught.value)


def test_every_backup_of_a_folder_keeps_its_checksum(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    first = back_up(settings, tmp_path / "backup")
    first = first.rename(first.with_name("history-20260101-000000.db"))
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    manifest["databases"] = {first.name: manifest["sha256"]}
    (tmp_path / "backup" / "manifest.json").write_text(json.dumps(manifest))
    back_up(settings, tmp_path / "backup")
    assert restore(settings, first).verified


def test_what_the_restored_database_would_make_again_is_kept(settings: Settings, tmp_path: Path) -> None:
    """The job was unfinished in the backup; its result came after it."""
    job = accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    result = settings.outputs / job.uid / "segments" / "00000.wav"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"spoken")
    restore(settings, copy)
    assert result.read_bytes() == b"spoken"
    assert f"outputs/{job.uid}/segments/00000.wav" in quarantined(settings)


def test_a_result_that_a_repeated_job_made_again_is_kept(settings: Settings, tmp_path: Path) -> None:
    """In the backup a partial job was to be repeated; its whole result came after it."""
    result = partial_to_be_repeated(settings)
    back_up(settings, tmp_path / "backup", media=True)
    result.write_bytes(b"whole")
    done = restore(settings, tmp_path / "backup")
    assert result.read_bytes() == b"a part"
    name = result.relative_to(settings.data)
    assert (done.quarantine / name).read_bytes() == b"whole"
    assert (done.aside, done.copied, done.missing) == (1, 1, 0)


def partial_to_be_repeated(settings: Settings) -> Path:
    """The result of a job of which one of two segments failed, and which is queued again."""
    uid = new_uid()
    result = settings.outputs / uid / "speech.mp3"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"a part")
    store = open_store(settings.database)
    store.planned(2, uid=uid)
    claim = store.queue.claim("work", "boot")
    assert claim is not None
    store.queue.take(claim.lease, 2, 2)
    store.queue.commit(claim.lease, [SegmentResult(0), SegmentResult(1, FAILED)], device="cpu", seconds=1)
    output = ArtifactRow("output", result.relative_to(settings.data).as_posix(), sha256=sha256(result))
    assert store.queue.finish(claim.lease, artifacts=[output]) == PARTIAL
    store.jobs.retry(claim.job.owner_id, uid)
    store.database.close()
    return result


def test_a_result_that_was_made_again_is_kept_beside_the_one_restored(settings: Settings, tmp_path: Path) -> None:
    uid = new_uid()
    (result := settings.outputs / uid / "result.wav").parent.mkdir(parents=True)
    result.write_bytes(b"first")
    store = open_store(settings.database)
    named = ArtifactRow("output", f"outputs/{uid}/result.wav", sha256=sha256(result))
    store.finished("一", uid=uid, input=named)
    store.database.close()
    back_up(settings, tmp_path / "backup", media=True)
    result.write_bytes(b"again")
    aside = restore(settings, tmp_path / "backup").quarantine
    assert result.read_bytes() == b"first"
    assert (aside / "outputs" / uid / "result.wav").read_bytes() == b"again"


def test_orphans_are_listed_and_moved_never_deleted(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    known = accept(settings)
    stray = recording_of(settings, new_uid())
    voice = settings.voices / f"{new_uid()}.wav"
    voice.parent.mkdir()
    voice.write_bytes(b"prompt")
    assert run(settings, "check", "--orphans") == 1
    listed = capsys.readouterr().out.splitlines()
    assert listed == [str(stray.parent), str(voice)]
    assert run(settings, "check", "--orphans", "--quarantine") == 0
    assert quarantined(settings) == {f"uploads/{stray.parent.name}/original.wav", f"voices/{voice.name}"}
    assert run(settings, "check", "--orphans") == 0
    assert jobs_of(settings) == {known.uid}


def test_without_a_database_everything_is_an_orphan_and_a_start_goes_on_afterwards(settings: Settings) -> None:
    job = accept(settings)
    remove_database(settings)
    assert run(settings, "check", "--orphans", "--quarantine") == 0
    assert quarantined(settings) == {f"uploads/{job.uid}/original.wav"}
    open_data_folder(settings).close()


@pytest.mark.parametrize("command", [["restore", "{backup}"], ["check", "--orphans", "--quarantine"]])
def test_files_are_not_moved_under_a_running_server(
    settings: Settings, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    accept(settings)
    recording_of(settings, new_uid())
    back_up(settings, tmp_path / "backup")
    with WorkLock(settings):
        assert run(settings, *(word.format(backup=tmp_path / "backup") for word in command)) == 1
    assert "already works" in capsys.readouterr().err and not settings.quarantine.exists()


def test_what_an_owner_deleted_does_not_live_on_in_the_backup(settings: Settings, tmp_path: Path) -> None:
    gone, stays = accept(settings), accept(settings)
    stranger = recording_of(settings, new_uid())
    back_up(settings, tmp_path / "backup", media=True)
    store = open_store(settings.database)
    store.jobs.delete(gone.owner_id, gone.uid)
    shutil.rmtree(settings.uploads / gone.uid)
    store.database.close()
    back_up(settings, tmp_path / "backup", media=True)
    kept = {path.name for path in (tmp_path / "backup" / "uploads").iterdir()}
    assert kept == {stays.uid, stranger.parent.name}, "of what the database does not know nothing goes"


@pytest.mark.parametrize("way", [VoiceStore.revoke, VoiceStore.delete])
def test_a_withdrawn_voice_does_not_live_on_in_the_backup(
    settings: Settings, tmp_path: Path, way: Callable[[VoiceStore, int, str], object]
) -> None:
    settings.voices.mkdir(parents=True)
    store = open_store(settings.database)
    owner, (gone, stays) = store.owner().id, (new_uid(), new_uid())
    for uid in (gone, stays):
        (settings.voices / f"{uid}.wav").write_bytes(b"prompt")
        voice = NewVoice(uid, owner, uid, "你好", f"voices/{uid}.wav", "0" * 64, 4.5)
        store.voices.add(voice, NewConsent("self", "张三"))
    back_up(settings, tmp_path / "backup", media=True)
    way(store.voices, owner, gone)
    (settings.voices / f"{gone}.wav").unlink()
    back_up(settings, tmp_path / "backup", media=True)
    store.database.close()
    assert [path.stem for path in (tmp_path / "backup" / "voices").iterdir()] == [stays]


def test_only_so_many_databases_are_kept(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    folder = tmp_path / "backup"
    folder.mkdir()
    for day in range(1, 4):
        (folder / f"history-2026010{day}-000000.db").touch()
    assert run(settings, "backup", str(folder), "--keep", "2") == 0
    first, second = sorted(path.name for path in folder.glob("history-*.db"))
    assert first == "history-20260103-000000.db"
    assert list(json.loads((folder / "manifest.json").read_text())["databases"]) == [second]


def test_a_backup_leaves_no_log_beside_its_database(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    folder = tmp_path / "backup"
    assert run(settings, "backup", str(folder), "--media") == 0
    assert run(settings, "restore", str(folder)) == 0
    assert not [path.name for path in folder.iterdir() if path.name.endswith(("-wal", "-shm"))]


def test_a_database_that_is_dropped_takes_its_log_along(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    (folder := tmp_path / "backup").mkdir()
    for suffix in ("", "-wal", "-shm"):
        (folder / f"history-20260101-000000.db{suffix}").touch()
    assert run(settings, "backup", str(folder), "--keep", "1") == 0
    assert not list(folder.glob("history-20260101-*"))


def test_configuration_and_certificates_are_in_the_backup(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    (settings.data / "certs").mkdir()
    (settings.data / "certs" / "server.crt").write_text("certificate")
    (config := tmp_path / "own.toml").write_text(f'data = "{settings.data}"')
    assert main(["--config", str(config), "backup", str(tmp_path / "backup")]) == 0
    assert (tmp_path / "backup" / "config.toml").read_text() == config.read_text()
    assert (tmp_path / "backup" / "certs" / "server.crt").read_text() == "certificate"
