"""A start with another database than the folder's is refused; nothing that the database does not know is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api_kit import Server, code, finish, serving, submit, wav
from tests.jobs_kit import open_store
from webui.settings import Settings
from webui.store.accounts import AccountStore
from webui.store.data_folder import open_data_folder
from webui.store.history_mark import Mark, MarkFile, mark_of
from webui.store.jobs import JobStore, new_uid
from webui.store.maintenance import back_up
from webui.store.migrate import DatabaseRefused
from webui.store.rows import JobRow, NewJob

ROOT = Path(__file__).resolve().parent.parent


def accept(settings: Settings) -> JobRow:
    """A job as the program takes it in, with its recording; the mark follows."""
    database = open_data_folder(settings)
    jobs = JobStore(database, MarkFile(settings.history_mark))
    uid = new_uid()
    recording_of(settings, uid)
    new = NewJob(uid, "transcribe", {"language": "en"}, "fake")
    job = jobs.submit(AccountStore(database).by_name("api").id, [new]).jobs[0]
    database.close()
    return job


def recording_of(settings: Settings, uid: str) -> Path:
    path = settings.uploads / uid / "original.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(uid.encode())
    return path


def remove_database(settings: Settings) -> None:
    for path in settings.database.parent.glob("history.db*"):
        path.unlink()


def refused(settings: Settings) -> str:
    """The reason why this folder's database is refused."""
    with pytest.raises(DatabaseRefused) as caught:
        open_data_folder(settings)
    assert caught.value.code == "DATABASE_MISSING"
    return str(caught.value.params["reason"].code)


def test_f1a_a_removed_database_is_not_begun_anew(settings: Settings) -> None:
    accept(settings)
    remove_database(settings)
    assert refused(settings) == "DATABASE_NEW"
    assert not settings.database.exists()


def test_f1a_the_refusal_is_one_sentence_with_the_command_that_cures_it(settings: Settings) -> None:
    accept(settings)
    remove_database(settings)
    command = [sys.executable, "app.py", "serve", "--port", "0", "--data", str(settings.data)]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    said = done.stderr.strip().splitlines()
    assert done.returncode == 1 and "ready" not in done.stderr
    assert "app.py restore" in said[-1] and str(settings.database) in said[-1] and "Traceback" not in done.stderr


def test_f1b_an_older_database_put_back_by_hand_is_refused(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    copy = back_up(settings, tmp_path / "backup")
    accept(settings)
    remove_database(settings)
    shutil.copy(copy, settings.database)
    assert refused(settings) == "DATABASE_OLDER"


def test_f1c_a_mistyped_path_makes_no_second_database(settings: Settings) -> None:
    accept(settings)
    mistyped = settings.model_copy(update={"history_db": settings.data / "histroy.db"})
    assert refused(mistyped) == "DATABASE_NEW"
    assert not mistyped.database.exists()


def test_f1c_another_database_is_refused(settings: Settings, tmp_path: Path) -> None:
    accept(settings)
    accept(other := settings.model_copy(update={"data": tmp_path / "other"}))
    assert refused(settings.model_copy(update={"history_db": other.database})) == "DATABASE_OTHER"


def test_an_empty_file_in_the_place_of_the_database_is_refused(settings: Settings) -> None:
    accept(settings)
    remove_database(settings)
    settings.database.touch()
    assert refused(settings) == "DATABASE_NEW"


def test_results_without_recordings_count_as_well(settings: Settings) -> None:
    job = accept(settings)
    settings.outputs.mkdir(exist_ok=True)
    (settings.uploads / job.uid).rename(settings.outputs / job.uid)
    remove_database(settings)
    assert refused(settings) == "DATABASE_NEW"


def test_the_database_of_the_folder_opens(settings: Settings) -> None:
    accept(settings)
    accept(settings)
    open_data_folder(settings).close()


def test_a_new_database_in_an_empty_folder_opens(settings: Settings) -> None:
    accept(settings)
    remove_database(settings)
    shutil.rmtree(settings.uploads)
    open_data_folder(settings).close()


def test_an_upload_cut_off_before_its_row_refuses_no_start(settings: Settings) -> None:
    """kill -9 between the recording's last rename and the commit: the client was told nothing."""
    accept(settings)
    half = recording_of(settings, new_uid())
    open_data_folder(settings).close()
    assert half.is_file()


def test_folders_without_a_whole_file_refuse_no_start(settings: Settings) -> None:
    job = accept(settings)
    (settings.uploads / new_uid()).mkdir()
    half = settings.uploads / new_uid() / "original.wav.part"
    half.parent.mkdir()
    half.touch()
    (settings.uploads / "lost+found").mkdir()
    (settings.uploads / "lost+found" / "#12").touch()
    shutil.rmtree(settings.uploads / job.uid)
    remove_database(settings)
    open_data_folder(settings).close()


def test_a_folder_of_an_earlier_version_opens_with_its_own_database_only(settings: Settings) -> None:
    """It has no mark yet; orphans of earlier crashes may lie in it."""
    accept(settings)
    recording_of(settings, new_uid())
    settings.history_mark.unlink()
    open_data_folder(settings).close()
    open_store(stranger := settings.data / "stranger.db").database.close()
    assert refused(settings.model_copy(update={"history_db": stranger})) == "DATABASE_OTHER"


def test_the_folder_remembers_its_database_and_every_job(settings: Settings) -> None:
    job = accept(settings)
    database = open_data_folder(settings)
    assert MarkFile(settings.history_mark).read() == mark_of(database)
    assert mark_of(database).change >= job.version
    database.close()


def test_a_mark_goes_back_only_at_a_start(tmp_path: Path) -> None:
    file = MarkFile(tmp_path / "history.mark")
    file.put(Mark("a", 5))
    file.advance(Mark("a", 4))
    assert file.read() == Mark("a", 5)
    file.advance(Mark("b", 1))
    assert file.read() == Mark("b", 1)
    file.put(Mark("b", 0))
    assert file.read() == Mark("b", 0)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"id": "a"}', b"\xff\x00"])
def test_a_damaged_mark_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.mark").write_bytes(content)
    file = MarkFile(tmp_path / "history.mark")
    assert file.read() is None
    file.advance(Mark("a", 1))
    assert file.read() == Mark("a", 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as started:
        yield started


def replace_database(settings: Settings) -> None:
    open_store(other := settings.data / "other.db").database.close()
    other.replace(settings.database)


@pytest.mark.parametrize("change", [remove_database, replace_database])
def test_f1d_a_database_removed_or_replaced_while_running_takes_nothing_in(
    server: Server, change: Callable[[Settings], None]
) -> None:
    settings = server.services.settings
    with server.browser() as browser:
        first = submit(browser, ("a.wav", wav())).json()["jobs"][0]["id"]
        change(settings)
        answers = [browser.get("/readyz"), submit(browser, ("b.wav", wav())), browser.delete(f"/api/v1/jobs/{first}")]
    assert [code(answer) for answer in answers] == [(503, "DATABASE_MISSING")] * 3
    assert [folder.name for folder in settings.uploads.iterdir()] == [first]
    assert change is replace_database or not settings.database.exists(), "none is made by itself"


def test_f1d_a_database_that_comes_back_goes_on(server: Server) -> None:
    aside = server.services.settings.data / "aside"
    with server.browser() as browser:
        server.services.database.path.rename(aside)
        assert browser.get("/readyz").status_code == 503
        aside.rename(server.services.database.path)
        uid = submit(browser, ("a.wav", wav())).json()["jobs"][0]["id"]
        assert finish(browser, uid)["state"] == "done"


def test_a_server_remembers_its_database_and_every_job_before_it_answers(server: Server) -> None:
    file, database = MarkFile(server.services.settings.history_mark), server.services.database
    assert file.read() == mark_of(database)
    with server.browser() as browser:
        submit(browser, ("a.wav", wav())).raise_for_status()
    mark = file.read()
    assert mark is not None and mark.id == mark_of(database).id and mark.change > 0


def test_an_error_after_the_commit_removes_no_recording(server: Server) -> None:
    """The client is told of an error; the job stands, and its recording with it."""
    uids: list[str] = []

    def fail() -> None:
        placed = server.services.settings.uploads.glob("*/original.wav")
        uids.extend(JobStore(server.services.database).known([path.parent.name for path in placed]))
        if uids:
            forget()
            raise RuntimeError("a listener fails")

    with server.browser() as browser:
        forget = server.services.database.subscribe(fail)
        assert submit(browser, ("a.wav", wav())).status_code == 500
        assert uids and finish(browser, uids[0])["state"] == "done"
