"""A call that never comes back: the device is given up, its segment is HUNG, the program ends to be started again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.devices_kit import House, Listener, Server, house, listener
from webui.devices import Reason
from webui.engines.base import Capabilities, Model, Recognition
from webui.jobs import fallback, transcribe


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "SLOWEST", 0.1)


def batches_of(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As on an accelerator: several segments together."""
    monkeypatch.setattr(transcribe, "_batch_limits", lambda *_given: (seconds, 64 if seconds else 1))


def stuck(release: threading.Event) -> Model:
    """A model that hangs on its second call."""
    calls: list[int] = []

    class Stuck:
        def recognize(self, batch: list[object], _options: object) -> list[Recognition]:
            calls.append(len(batch))
            if len(calls) == 2:
                release.wait()
            return [Recognition("好", "好", "zh") for _ in batch]

        def close(self) -> None: ...

    return Model("listener", "t", "recognizer", "1", Capabilities(), lambda _device: Stuck())


def hang(opened: House, release: threading.Event, told: threading.Event) -> None:
    """Until the second call hangs and is given up; it comes back after that, too late."""
    opened.runner.start()
    assert told.wait(30)
    began = time.monotonic()
    assert not opened.runner.stop(timeout=60), "a thread still hangs"
    assert time.monotonic() - began < 50, "nobody waits for it"
    release.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "work-cpu"]:
        thread.join(20)  # in a real program it never ends, and the process does


@pytest.mark.parametrize("seconds", [0, 2])
def test_the_segment_that_hangs_is_given_up_and_the_job_goes_on_after_the_next_start(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_of(monkeypatch, seconds)
    release, told = threading.Event(), threading.Event()
    with house(tmp_path, device="cpu", model=stuck(release), hang_limit_s=0.3, on_hang=told.set) as opened:
        job = opened.planned(6)
        hang(opened, release, told)
        segments = opened.store.jobs.segments(None, job.uid)
        assert opened.host.placement.lost() == {"cpu": Reason("DEVICE_HUNG", {"device": "cpu"})}
    alone = seconds == 0
    assert [row.error_code for row in segments] == [None, "HUNG" if alone else None, *[None] * 4]
    with house(tmp_path, device="cpu", model=stuck(release)) as opened:
        opened.runner.start()
        ended = opened.ended(job)
    assert ended["state"] == ("partial" if alone else "done") and ended["states"].count("done") == 6 - alone
    assert ended["error"] == ({"code": "HUNG", "params": {"language": "zh", "device": "cpu"}} if alone else None)


def test_the_time_a_call_may_take_grows_with_its_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches_of(monkeypatch, 8)
    with house(tmp_path, device="cpu", model=listener(Listener), hang_limit_s=7) as opened:
        limits: list[float] = []
        over = opened.host.watch.over

        def note(model: str, device: str, limit_s: float, work: object = None) -> object:
            limits.append(limit_s)
            return over(model, device, limit_s, work)

        opened.host.watch.over = note  # type: ignore[assignment, method-assign]
        job = opened.planned(12)
        opened.runner.start()
        assert opened.ended(job)["state"] == "done"
    assert set(np.round(limits, 3)) == {7, 7 + 0.1 * 8, 7 + 0.1 * 4}


def test_the_server_ends_with_75_and_carries_on_when_started_again(tmp_path: Path) -> None:
    given = {"SHENGFANG_ENGINES": "tests.stuck_engine", "SHENGFANG_HANG_LIMIT_S": "1"}
    quick = "from webui.jobs import fallback; fallback.SLOWEST = 0.1; import app; app.sys.exit(app.main())"
    with Server(tmp_path, "--device", "cpu", code=quick, **given) as server:
        job = server.transcribe("short", hotwords=["hang"])
        other = server.transcribe("long")
        assert server.exit_code(60) == 75, server.log()
    with Server(tmp_path, "--device", "cpu", code=quick, **given) as server:
        ended = server.finish(job)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "HUNG") and "cpu" in ended["error"]["message"]
        assert server.finish(other)["state"] == "done"
