"""Which model is meant by a name, which device a job waits for, and downloads in the background."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from webui.engines import download
from webui.engines.base import RecognizerCapabilities, RecognizerModel, SynthesizerCapabilities, SynthesizerModel
from webui.errors import Notice, UserError
from webui.hosting.host import ModelHost
from webui.service.accounts import AccountService
from webui.service.models import ModelService
from webui.settings import Settings
from webui.store.accounts import NOBODY, AccountStore
from webui.store.database import Database
from webui.store.migrate import open_database
from webui.store.options import OptionStore


def no_load(_device: str) -> NoReturn:
    raise AssertionError("nothing is loaded to answer a name")


def model(name: str, rank: int = 0, problem: str | None = None) -> RecognizerModel:
    found = Notice(problem) if problem else None
    return RecognizerModel(name, "test", "1", RecognizerCapabilities(), no_load, default_rank=rank, problem=found)


def voice(name: str) -> SynthesizerModel:
    return SynthesizerModel(name, "test", "1", SynthesizerCapabilities(), no_load)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database)
    yield database
    database.close()


@pytest.fixture
def accounts(database: Database) -> AccountStore:
    return AccountStore(database)


@pytest.fixture
def service(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> ModelService:
    present = [
        model("small", rank=1),
        model("large", rank=5),
        model("hidden", rank=-1),
        model("broken", rank=9, problem="MODEL_BROKEN"),
        voice("voice"),
        model("both"),
        voice("both"),
    ]
    service = ModelService(settings, OptionStore(database), ModelHost(settings))
    monkeypatch.setattr("webui.engines.catalog.available", lambda _settings: present)
    return service


def refusal(service: ModelService, name: str) -> UserError:
    with pytest.raises(UserError) as caught:
        service.resolve(name, RecognizerModel)
    return caught.value


@pytest.mark.parametrize("name", ["", "auto", "whisper-1", "tts-1", "gpt-4o-transcribe", "gpt-4o-mini-tts"])
def test_a_default_name_means_the_best_that_can_be_used(service: ModelService, name: str) -> None:
    assert service.resolve(name, RecognizerModel).name == "large"


def test_the_administrators_choice_goes_first_while_it_can_be_used(service: ModelService) -> None:
    service.set_options({"default_recognizer": "hidden"})
    assert service.resolve("auto", RecognizerModel).name == "hidden"
    service._options.set({"default_recognizer": "gone"})
    assert service.resolve("auto", RecognizerModel).name == "large"


def test_a_name_means_the_model_of_the_right_kind(service: ModelService) -> None:
    assert service.resolve("both", SynthesizerModel).kind == "synthesizer"
    assert refusal(service, "voice").code == "MODEL_WRONG_KIND"
    assert refusal(service, "broken").code == "MODEL_BROKEN"
    unknown = refusal(service, "nobody")
    assert (unknown.code, unknown.params["available"]) == ("MODEL_NOT_FOUND", "small, large, hidden, broken, both")


def test_a_choice_that_cannot_be_used_is_not_kept(service: ModelService) -> None:
    with pytest.raises(UserError, match="MODEL_BROKEN"):
        service.set_options({"default_recognizer": "broken"})
    assert service.options().default_recognizer is None


def test_the_self_tests_model_is_used_by_name_only(service: ModelService, monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(model("own", rank=-1), offered=False)
    monkeypatch.setattr("webui.engines.catalog.available", lambda _settings: [own])
    assert service.resolve("own", RecognizerModel).name == service.listing().models[0].model.name == "own"
    assert refusal(service, "auto").code == "MODEL_NOT_FOUND"
    with pytest.raises(UserError, match="SELF_TEST_ONLY"):
        service.set_options({"default_recognizer": "own"})


def test_a_job_waits_only_for_a_device_that_this_server_works_on(service: ModelService) -> None:
    assert service.device_for("auto") == "auto"
    assert service.device_for("cpu") == "cpu"
    with pytest.raises(UserError, match="DEVICE_UNAVAILABLE"):
        service.device_for("abacus:7")
    service.set_options({"device": "cpu"})
    assert service.device_for("auto") == "cpu"


def test_a_download_shows_how_far_it_is_and_why_it_failed(
    service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = service.listing().catalog[0].entry.name

    def offline(_settings: Settings, name: str, _source: str | None, progress: download.Progress) -> Path:
        progress(3, 10)
        raise UserError("PULL_OFFLINE", model=name)

    monkeypatch.setattr(download, "pull", offline)
    service.pull(name)
    deadline = time.monotonic() + 10
    while (pull := service.listing().catalog[0].pull) and pull.state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert pull and (pull.done, pull.total, pull.error) == (3, 10, Notice("PULL_OFFLINE", {"model": name}))
    with pytest.raises(UserError, match="MODEL_NOT_FOUND"):
        service.pull("nobody")


def test_owners_are_known_by_cookie_and_strangers_share_one(accounts: AccountStore) -> None:
    service = AccountService(accounts)
    first, second = service.new_token(), service.new_token()
    assert first != second
    assert service.owner_of(first) == service.owner_of(first) != service.owner_of(second)
    shared = service.owner_of(None)
    assert service.owner_of("short") == service.owner_of("x" * 42 + "!") == shared
    assert service.local_owner() not in (shared, service.owner_of(first))


def test_who_only_reads_leaves_no_trace(accounts: AccountStore) -> None:
    service = AccountService(accounts)
    token = service.new_token()
    assert service.known(token) == service.known(None) == service.remembered(token) == NOBODY
    assert accounts.find_name("api") is None
    owner = service.owner_of(token)
    assert owner == service.known(token) == service.remembered(token) == AccountService(accounts).known(token)
    assert owner != NOBODY == AccountService(accounts).remembered(token)


def test_the_store_never_sees_a_cookies_value(settings: Settings, accounts: AccountStore) -> None:
    service = AccountService(accounts)
    token = service.new_token()
    service.owner_of(token)
    content = b"".join(path.read_bytes() for path in settings.data.glob("history.db*"))
    assert token.encode() not in content
