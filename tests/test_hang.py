"""A call that never comes back: the device is given up, its segment is HUNG, the program ends to be started again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.devices_kit import Listener, Server, ServerFolder, house, listener
from tests.jobs_kit import open_store
from webui import devices
from webui.cli.application import main
from webui.devices import Device, probing
from webui.engines.base import Model, Recognition, RecognizerCapabilities, RecognizerModel
from webui.errors import Notice
from webui.hosting import hang_history
from webui.hosting.hang_history import HangHistory
from webui.hosting.key_value import InMemoryStore
from webui.hosting.watchdog import Call
from webui.jobs import placed_model, runner, transcribe
from webui.service.device_table import device_table
from webui.store.machine_facts import MachineFacts


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placed_model, "SLOWEST", 0.1)


def batches_of(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As on an accelerator: several segments together."""
    monkeypatch.setattr(transcribe, "_batch_limits", lambda *_given: (seconds, 64 if seconds else 1))


class Hears:
    def recognize(self, batch: list[object], _options: object) -> list[Recognition]:
        return [Recognition("好", "好", "zh") for _ in batch]

    def close(self) -> None: ...


def stuck(release: threading.Event, kinds: tuple[str, ...] = ("cpu",)) -> Model:
    """A model that hangs on its second call."""
    calls: list[int] = []

    class Stuck(Hears):
        def recognize(self, batch: list[object], options: object) -> list[Recognition]:
            calls.append(len(batch))
            if len(calls) == 2:
                release.wait()
            return super().recognize(batch, options)

    return RecognizerModel("listener", "t", "1", RecognizerCapabilities(), lambda _device: Stuck(), kinds)


def loading_stuck(
    release: threading.Event, on: str, loaded: list[str], revision: str = "1", late: bool = False
) -> Model:
    """A model that is never loaded on the device `on`, or too late; `loaded` notes every attempt."""

    def load(device: str) -> Hears:
        loaded.append(device)
        if device == on:
            release.wait()
            if not late:
                raise SystemExit  # the end of the test; in a real program it never comes back
        return Hears()

    return RecognizerModel("listener", "t", revision, RecognizerCapabilities(), load, ("any",))


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cards, on which nothing is computed."""
    found = [*(Device(f"npu:{number}", "npu", "Ascend910B3") for number in range(2)), Device("cpu", "cpu", "Xeon")]
    for module in (devices, probing):
        monkeypatch.setattr(module, "probe", lambda load=True: found)


def hang(opened: ServerFolder, release: threading.Event, told: threading.Event, worker: str = "work-cpu") -> None:
    """Until a call hangs and is given up; it comes back after that, too late."""
    opened.runner.start()
    assert told.wait(30)
    began = time.monotonic()
    assert not opened.runner.stop(timeout=60), "a thread still hangs"
    assert time.monotonic() - began < 50, "nobody waits for it"
    release.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == worker]:
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
        assert opened.host.placement.lost() == {"cpu": Notice("DEVICE_HUNG", {"device": "cpu"})}
    alone = seconds == 0
    assert [row.error_code for row in segments] == [None, "HUNG" if alone else None, *[None] * 4]
    with house(tmp_path, device="cpu", model=stuck(release)) as opened:
        opened.runner.start()
        ended = opened.ended(job)
    assert ended["state"] == ("partial" if alone else "done") and ended["states"].count("done") == 6 - alone
    assert ended["error"] == ({"code": "HUNG", "params": {"language": "zh", "device": "cpu"}} if alone else None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_model_that_never_loads_costs_one_restart(tmp_path: Path) -> None:
    release, told, loaded = threading.Event(), threading.Event(), list[str]()
    given = {"device": "cpu", "memory": True, "hang_limit_s": 0.3, "on_hang": told.set}
    with house(tmp_path, model=loading_stuck(release, "cpu", loaded), **given) as opened:
        job, other = opened.planned(2), opened.planned(2)
        hang(opened, release, told)
        assert opened.store.jobs.get(None, job.uid).state == "running"
        assert {row.error_code for row in opened.store.jobs.segments(None, job.uid)} == {None}
    told.clear()
    with house(tmp_path, model=loading_stuck(release, "cpu", loaded), **given) as opened:
        opened.runner.start()
        error = {"code": "MODEL_HUNG", "params": {"model": "listener", "device": "cpu"}}
        assert [opened.ended(each)["error"] for each in (job, other)] == [error, error]
    assert loaded == ["cpu"] and not told.is_set()
    exchanged = loading_stuck(release, "none", loaded, revision="2")
    with house(tmp_path, model=exchanged, **given) as opened:
        opened.store.jobs.retry(job.owner_id, job.uid)
        opened.runner.start()
        assert opened.ended(job)["state"] == "done"


def test_a_model_that_loads_too_late_does_not_cost_the_job(tmp_path: Path) -> None:
    release, told = threading.Event(), threading.Event()
    model = loading_stuck(release, "cpu", [], late=True)
    with house(tmp_path, device="cpu", model=model, hang_limit_s=0.3, on_hang=told.set) as opened:
        job = opened.planned(2)
        opened.runner.start()
        assert told.wait(30)
        release.set()
        opened.until(job, lambda row: row.state != "running")
        assert opened.store.jobs.get(None, job.uid).state == "queued"


def test_a_card_that_hung_is_left_alone_after_the_restart(tmp_path: Path, cards: None) -> None:
    release, told = threading.Event(), threading.Event()
    given = {"device": "npu:0", "memory": True, "hang_limit_s": 0.3}
    with house(tmp_path, model=stuck(release, ("any",)), on_hang=told.set, **given) as opened:
        job = opened.planned(4)
        hang(opened, release, told, "work-npu:0")
    with house(tmp_path, model=listener(lambda _device: Hears()), **given) as opened:
        opened.runner.start()
        ended = opened.ended(job)
        assert (ended["codes"].count("HUNG"), ended["on"][2:]) == (1, ["npu:1"] * 2)
        assert ended["warnings"] == [["DEVICE_HUNG", {"device": "npu:0"}]]
        assert device_table(opened.host, [])[0].device.problem
        opened.host.hangs.forget()
    with house(tmp_path, model=listener(lambda _device: Hears()), **given) as opened:
        again = opened.planned(2)
        opened.runner.start()
        assert set(opened.ended(again)["on"]) == {"npu:0"} and device_table(opened.host, [])[0].device.usable


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_model_that_does_not_load_on_a_card_runs_elsewhere_and_the_card_is_used_by_others(
    tmp_path: Path, cards: None
) -> None:
    release, told, loaded = threading.Event(), threading.Event(), list[str]()
    given = {"device": "npu:0", "memory": True, "hang_limit_s": 0.3, "on_hang": told.set}
    model = loading_stuck(release, "npu:0", loaded)
    with house(tmp_path, model=model, **given) as opened:
        job = opened.planned(2)
        hang(opened, release, told, "work-npu:0")
    other = RecognizerModel("other", "t", "1", RecognizerCapabilities(), lambda _device: Hears(), ("any",))
    with house(tmp_path, model=model, **given) as opened:
        object.__setattr__(opened.runner.context, "models", lambda: [model, other])
        beside = opened.planned(2, model="other")
        opened.runner.start()
        ended = opened.ended(job)
        assert (ended["state"], set(ended["on"]), loaded) == ("done", {"npu:1"}, ["npu:0", "npu:1"])
        assert ended["warnings"] == [["MODEL_HUNG", {"model": "listener", "device": "npu:0"}]]
        assert set(opened.ended(beside)["on"]) == {"npu:0"}
        assert device_table(opened.host, [model])[0].notes[0].params["model"] == "listener"


def test_what_hung_is_forgotten_after_a_day_and_with_a_new_start_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot, model = tmp_path / "boot_id", loading_stuck(threading.Event(), "none", [])
    boot.write_text("one\n")
    monkeypatch.setattr(hang_history, "_BOOT", boot)
    known = HangHistory(InMemoryStore())
    known.note(Call(1, model, "npu:0", 0, 1))
    known.note(Call(1, model, "npu:1", 0, 1, loading=True))
    known.note(Call(1, model, "cpu", 0, 1))
    assert (list(known.devices()), list(known.of(model))) == (["npu:0"], ["npu:1"]), "the cpu is no card"
    now = time.time()
    for later in (
        hang_history.REMEMBERED_S + 1,
        -hang_history.REMEMBERED_S - 1,
    ):  # a clock set back must not keep it for ever
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert not known.devices() and not known.of(model)
    monkeypatch.setattr(time, "time", lambda: now + hang_history.REMEMBERED_S - 60)
    assert known.devices()
    boot.write_text("two\n")
    assert not known.devices() and not known.of(model)


def test_an_administrator_lets_a_card_be_used_again(
    tmp_path: Path, cards: None, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(tmp_path / "history.db")
    HangHistory(MachineFacts(store.database)).note(Call(1, listener(), "npu:0", 0, 1))
    store.database.close()
    for options, mark in (([], "[FAIL]"), (["--retry"], "[ ok ]"), ([], "[ ok ]")):
        assert main(["devices", "--data", str(tmp_path), "--models", str(tmp_path), *options]) == 0
        assert f"{mark} npu:0" in capsys.readouterr().out


def test_jobs_run_on_the_cpu_while_the_devices_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(runner, "PROBING_S", 0.1)
    monkeypatch.setattr(runner, "_cards", lambda _wanted: release.wait() and ["cpu"])
    with house(tmp_path, model=listener(lambda _device: Hears())) as opened:
        job = opened.planned(2)
        opened.runner.start()
        assert opened.ended(job)["on"] == ["cpu"] * 2
        release.set()


def test_the_time_a_call_may_take_grows_with_its_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches_of(monkeypatch, 8)
    with house(tmp_path, device="cpu", model=listener(Listener), hang_limit_s=70) as opened:
        limits: list[float] = []
        over = opened.host.watch.over

        def note(model: Model, device: str, limit_s: float, work: object = None, *, loading: bool = False) -> object:
            limits.append(limit_s)
            return over(model, device, limit_s, work, loading=loading)

        opened.host.watch.over = note  # type: ignore[assignment, method-assign]
        job = opened.planned(12)
        opened.runner.start()
        assert opened.ended(job)["state"] == "done"
    assert set(np.round(limits, 3)) == {70, 70 + 0.1 * 8, 70 + 0.1 * 4}


def test_the_server_ends_with_75_and_carries_on_when_started_again(tmp_path: Path) -> None:
    given = {"SHENGFANG_ENGINES": "tests.stuck_engine", "SHENGFANG_HANG_LIMIT_S": "1"}
    quick = "from webui.jobs import placed_model; placed_model.SLOWEST = 0.1; import app; app.sys.exit(app.main())"
    with Server(tmp_path, "--device", "cpu", code=quick, **given) as server:
        job = server.transcribe("short", hotwords=["hang"])
        other = server.transcribe("long")
        assert server.exit_code(60) == 75, server.log()
    with Server(tmp_path, "--device", "cpu", code=quick, **given) as server:
        ended = server.finish(job)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "HUNG") and "cpu" in ended["error"]["message"]
        assert server.finish(other)["state"] == "done"
