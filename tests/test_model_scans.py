"""A request reads the model folders at most once, however many questions it has about what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from benchmarks import fake_engine
from tests.api_kit import prompt, serving, submit, wav
from webui.engines.base import AnyModel, SynthesizerCapabilities, SynthesizerModel
from webui.settings import Settings

SPEAKS = SynthesizerCapabilities(languages=("zh", "en"), own_voice=False)
scans: list[None] = []


def models(_settings: Settings) -> list[AnyModel]:
    """A module named in the setting `engines` is asked at every scan. Its voice needs a prompt, and is the default."""
    scans.append(None)
    return [SynthesizerModel("mute", "mute", "1", SPEAKS, fake_engine.FakeSynthesizer, default_rank=99)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    engines = ("benchmarks.fake_engine", __name__)
    with (
        serving(tmp_path_factory.mktemp("server"), workers=False, engines=engines) as server,
        server.browser() as client,
    ):
        server.services.models.set_options({"default_synthesizer": "mute"})
        yield client


def spoken(client: httpx.Client, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    return submit(client, *files, kind="speak", params=json.dumps({"text": "你好。"}), **fields)


REQUESTS: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "models": lambda client: client.get("/api/v1/models"),
    "models of OpenAI": lambda client: client.get("/v1/models"),
    "devices": lambda client: client.get("/api/v1/devices"),
    "readiness": lambda client: client.get("/readyz"),
    "transcribe": lambda client: submit(client, ("a.wav", wav(1)), kind="transcribe"),
    "speak": spoken,
    "speak with a prompt": lambda client: spoken(
        client, ("p.wav", prompt()), consent='{"basis": "self", "subject": "me"}'
    ),
    "settings": lambda client: client.put(
        "/api/v1/settings", json={"default_recognizer": "fake", "default_synthesizer": "mute"}
    ),
}


@pytest.mark.parametrize("request_of", REQUESTS.values(), ids=REQUESTS)
def test_a_request_reads_the_model_folders_once(
    client: httpx.Client, request_of: Callable[[httpx.Client], httpx.Response]
) -> None:
    scans.clear()
    response = request_of(client)
    assert response.status_code < 300, response.text
    assert len(scans) == 1
