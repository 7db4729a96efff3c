"""Making a model faster on the CPU: beside a running server, from the command line, and refused where it cannot be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_kit import Server, code, serving
from tests.cosyvoice.conftest import build as build_cosyvoice
from tests.funasr import builder
from webui.cli.application import main
from webui.engines.base import RecognizerCapabilities, RecognizerModel
from webui.engines.subprocesses import optimise_in_subprocess
from webui.errors import UserError
from webui.service.optimising import Optimisations
from webui.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("optimising")
    (folder / "models" / "small").mkdir(parents=True)
    builder.sense_voice(folder / "models" / "small")
    with serving(folder, workers=False) as server:
        yield server


def state(server: Server, name: str) -> dict:
    """How the optimisation of a model ended."""
    deadline = time.monotonic() + 120
    with server.api() as client:
        while True:
            models = {model["name"]: model for model in client.get("/api/v1/models").json()["models"]}
            if models[name]["optimise"]["state"] != "running":
                return models[name]["optimise"]
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_it_runs_beside_the_server_and_its_result_is_shown(server: Server) -> None:
    assert state(server, "small") == {"state": "none", "use": None, "errors": None, "error": None}
    with server.api() as client:
        for _ in range(2):
            begun = client.post("/api/v1/models/small/optimise")
            assert begun.status_code == 202
        shown = {model["name"]: model["optimise"] for model in begun.json()["models"]}
        assert shown["small"]["state"] == "running" and shown["fake"] is None
    ended = state(server, "small")
    assert ended["state"] == "done" and ended["use"] in ("fp32", "int8") and ended["errors"]["encoder fp32"] < 1e-4
    assert [path.name for path in (server.services.settings.models / "small").glob(".opt*")] == []


@pytest.mark.parametrize(
    ("raised", "shown"),
    [(UserError("MODEL_BROKEN", model="m", reason="x"), "MODEL_BROKEN"), (OSError(), "ENGINE_FAILED")],
)
def test_a_failure_is_shown_and_may_be_tried_again(raised: Exception, shown: str) -> None:
    tries: list[int] = []
    tried = threading.Semaphore(0)

    def fail() -> None:
        tries.append(1)
        tried.release()
        raise raised

    model = RecognizerModel("m", "test", "1", RecognizerCapabilities(), lambda _device: None, optimise=fail)
    optimisations = Optimisations(done=lambda: None)
    for number in (1, 2):
        optimisations.begin(model)
        assert tried.acquire(timeout=10)
        while (found := optimisations.of(model)) and found.state == "running":
            time.sleep(0.01)
        assert found and found.error
        assert (found.state, found.error.code, len(tries)) == ("failed", shown, number)


def test_it_is_for_this_machine_and_for_models_that_can(server: Server) -> None:
    with server.api() as client:
        strange = client.post("/api/v1/models/small/optimise", headers={"x-forwarded-for": "10.1.2.3"})
        assert code(strange) == (403, "LOCAL_ONLY")
        assert code(client.post("/api/v1/models/basic/optimise")) == (422, "NOT_CAPABLE")
        assert code(client.post("/api/v1/models/nobody/optimise")) == (404, "MODEL_NOT_FOUND")
        assert code(client.post("/api/v1/models/auto/optimise")) == (404, "MODEL_NOT_FOUND")


def tell_the_library(_name: str, settings: Settings) -> None:
    raise UserError("MODEL_BROKEN", model="m", reason=str(settings.espeak_library))


def test_the_configuration_counts_in_the_process_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        optimise_in_subprocess(tell_the_library, "m", Settings(data=tmp_path, espeak_library=tmp_path / "speaks.so"))
    assert refused.value.params["reason"] == str(tmp_path / "speaks.so")


def test_the_command_reports_the_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models" / "small").mkdir(parents=True)
    builder.sense_voice(tmp_path / "models" / "small")
    where = ["--models", str(tmp_path / "models"), "--data", str(tmp_path / "data")]
    (hint,) = hints(where, capsys)
    assert "models optimise small" in hint
    assert main(["models", "optimise", "small", *where]) == 0
    shown = capsys.readouterr().out
    assert hints(where, capsys) == []
    assert "encoder int8" in shown and (tmp_path / "models" / "small" / "optimised" / "report.json").is_file()
    assert main(["models", "optimise", "nobody", *where]) == 2


def hints(where: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What `doctor` advises about the models that are there."""
    main(["doctor", "--json", *where])
    lines = json.loads(capsys.readouterr().out)
    return [line["hint"] for line in lines if line["subject"] == "small" and line["state"] == "note"]


def test_a_voice_model_can_be_made_faster_too(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    build_cosyvoice(tmp_path / "models" / "voices")
    with serving(tmp_path, workers=False) as server:
        with server.api() as client:
            assert client.post("/api/v1/models/voices/optimise").status_code == 202
        ended = state(server, "voices")
        assert ended["state"] == "done" and set(ended["errors"]) == {"llm int8", "flow int8"}
