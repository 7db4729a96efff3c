"""The whole program on a simulated Ascend card: a recording transcribed and a voice cloned, and the row says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api_kit import prompt, submit
from tests.cosyvoice.conftest import build as build_cosyvoice
from tests.devices_kit import TESTS, Server

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: no simulated NPU")
TEXT = "今天天气很好。"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("npu")
    shutil.copytree(TESTS.parent / "models" / "selftest-zh", folder / "models" / "selftest-zh")
    build_cosyvoice(folder / "models" / "cosyvoice3")
    with Server(folder, "--device", "npu:0", site="site", SIM_NPU_DEVICES="2", SIM_NPU_MEMORY_MB="2048") as started:
        yield started


def segments(server: Server, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client.get(f"/api/v1/jobs/{job}/segments").json()["segments"]
    return found


def words(rows: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [(word["text"], word["start"], word["end"]) for row in rows for word in row["words"]]


def test_the_cards_are_offered(server: Server) -> None:
    listed = server.client.get("/api/v1/devices", headers={"accept-language": "en"}).json()
    assert [(row["id"], row["usable"], row["tested"]) for row in listed[:2]] == [
        ("npu:0", True, "tested on the simulator"),
        ("npu:1", True, "tested on the simulator"),
    ]


def test_a_recording_is_transcribed_on_the_card_as_on_the_cpu(server: Server) -> None:
    there = server.finish(server.transcribe("speech", prompt(), model="selftest-zh"))
    here = server.finish(server.transcribe("speech", prompt(), model="selftest-zh", device="cpu"))
    assert (there["state"], there["devices"]) == ("done", {"transcribe": "npu:0"})
    assert [warning["code"] for warning in there["warnings"]] == ["SELF_TEST_ONLY"]
    assert (here["state"], here["devices"]) == ("done", {"transcribe": "cpu"})
    on_card, on_cpu = segments(server, there["id"]), segments(server, here["id"])
    assert {row["device"] for row in on_card} == {"npu:0"} and {row["device"] for row in on_cpu} == {"cpu"}
    assert there["text"] == here["text"] != "" and words(on_card) == words(on_cpu)


def test_a_voice_is_cloned_on_the_card(server: Server) -> None:
    params = {"model": "cosyvoice3", "text": TEXT, "transcript": "今天天气很好，我们一起去公园散步，好不好？"}
    consent = json.dumps({"basis": "self", "subject": "张三"})
    answer = submit(server.client, ("prompt.wav", prompt()), kind="speak", params=json.dumps(params), consent=consent)
    assert answer.status_code == 202, answer.text
    job = server.finish(answer.json()["jobs"][0]["id"])
    assert (job["state"], job["error"]) == ("done", None)
    assert job["devices"]["speak"] == "npu:0" and {row["device"] for row in segments(server, job["id"])} == {"npu:0"}
    assert len(server.client.get(f"/api/v1/jobs/{job['id']}/audio").content) > 10_000


def test_without_cann_the_program_starts_on_the_cpu_and_names_the_library(tmp_path: Path) -> None:
    with Server(tmp_path, site="site/no_cann") as server:
        card, cpu = server.client.get("/api/v1/devices", headers={"accept-language": "zh"}).json()
        assert (card["id"], card["usable"], cpu["usable"]) == ("npu:0", False, True)
        assert "libhccl.so" in card["reason"] and "set_env.sh" in card["hint"]
        job = server.finish(server.transcribe("short", model="basic", language="en"))
        assert (job["state"], job["devices"]) == ("done", {"transcribe": "cpu"})
