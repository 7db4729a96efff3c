"""Models in memory: loaded once, one user at a time, unloaded when idle."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webui import devices
from webui.devices.vendors import BY_KIND
from webui.engines.base import (
    EngineError,
    Model,
    RecognizerCapabilities,
    RecognizerModel,
    SynthesizerCapabilities,
    SynthesizerModel,
)
from webui.errors import Notice, UserError
from webui.hosting import host as host_module
from webui.hosting.host import ModelHost
from webui.hosting.watchdog import Call
from webui.settings import Settings


class Engine:
    """Counts its own."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made() -> list[Engine]:
    return []


@pytest.fixture
def host(settings: Settings) -> Iterator[ModelHost]:
    host = ModelHost(settings)
    yield host
    host.close()


def model(made: list[Engine], name: str = "m", seconds: float = 0, **values: Any) -> Model:
    def load(device: str) -> Engine:
        time.sleep(seconds)
        made.append(Engine(device))
        return made[-1]

    return RecognizerModel(name, "fake", values.pop("revision", "1"), RecognizerCapabilities(), load, **values)


def test_many_callers_load_once_and_work_one_after_the_other(host: ModelHost, made: list[Engine]) -> None:
    slow = model(made, seconds=0.05)
    inside: list[int] = []
    most: list[int] = []

    def use() -> None:
        with host.use(slow):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and most == [1] * 8


def test_two_models_load_and_work_side_by_side(host: ModelHost, made: list[Engine]) -> None:
    both = threading.Barrier(2, timeout=20)

    def use(name: str) -> None:
        with host.use(model(made, name)):
            both.wait()

    threads = [threading.Thread(target=use, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken and {loaded.name for loaded in host.loaded()} == {"a", "b"}


def test_the_same_name_hears_and_speaks(host: ModelHost, made: list[Engine]) -> None:
    speaker = SynthesizerModel("fake", "fake", "1", SynthesizerCapabilities(), model(made).load)
    with host.use(model(made)) as hears, host.use(speaker) as speaks:
        assert hears is not speaks


def test_an_idle_model_is_unloaded(tmp_path: Path, made: list[Engine]) -> None:
    host = ModelHost(Settings(data=tmp_path, models=tmp_path, idle_unload_s=0.05))
    with host.use(model(made)):
        time.sleep(0.15)
        assert not made[0].closed, "never while at work"
    deadline = time.monotonic() + 20
    while not made[0].closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made[0].closed and host.loaded() == []
    with host.use(model(made)) as again:
        assert again is made[1] and not again.closed
    host.close()


def test_freeing_leaves_what_is_at_work(host: ModelHost, made: list[Engine]) -> None:
    busy, idle = model(made, "busy"), model(made, "idle")
    with host.use(idle):
        pass
    with host.use(busy):
        freed: list[tuple[str, ...]] = []
        thread = threading.Thread(target=lambda: freed.append(host.free().unloaded))
        thread.start()
        thread.join()
        assert freed == [("idle",)]
        assert [(loaded.name, loaded.idle_s) for loaded in host.loaded()] == [("busy", 0)]
    assert [engine.closed for engine in made] == [True, False]


def test_a_freed_model_is_named_once_however_it_was_loaded(host: ModelHost, made: list[Engine]) -> None:
    speaker = SynthesizerModel("fake", "fake", "1", SynthesizerCapabilities(), model(made).load)
    with host.use(model(made, "fake")), host.use(speaker):
        pass
    assert host.free().unloaded == ("fake",)
    assert all(engine.closed for engine in made) and len(made) == 2


def test_an_exchanged_folder_is_loaded_anew(host: ModelHost, made: list[Engine]) -> None:
    with host.use(model(made)) as old, host.use(model(made, revision="2")) as new:
        assert old is not new
    assert [loaded.name for loaded in host.loaded()] == ["m"]


def test_without_memory_the_idle_ones_go_first(host: ModelHost, made: list[Engine]) -> None:
    with host.use(model(made, "idle")):
        pass

    def load(device: str) -> Engine:
        if not made[0].closed:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return Engine(device)

    with host.use(RecognizerModel("big", "fake", "1", RecognizerCapabilities(), load)) as big:
        assert isinstance(big, Engine)


def test_what_does_not_fit_says_so(host: ModelHost) -> None:
    def load(_device: str) -> Engine:
        raise MemoryError

    with (
        pytest.raises(UserError) as caught,
        host.use(RecognizerModel("big", "fake", "1", RecognizerCapabilities(), load)),
    ):
        pass
    assert caught.value.code == "OUT_OF_MEMORY" and host.loaded() == []


def test_an_exchanged_model_goes_as_soon_as_its_work_is_done(host: ModelHost, made: list[Engine]) -> None:
    with host.use(model(made)):
        with host.use(model(made, revision="2")):
            pass
        time.sleep(0.05)
        assert not made[0].closed
    deadline = time.monotonic() + 20
    while not made[0].closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [engine.closed for engine in made] == [True, False]


def test_the_time_to_load_grows_with_the_weights_and_is_its_own(host: ModelHost, made: list[Engine]) -> None:
    watched: list[tuple[float, bool]] = []
    over = host.watch.over

    def note(what: Model, device: str, limit_s: float, work: object = None, *, loading: bool = False) -> object:
        watched.append((limit_s, loading))
        return over(what, device, limit_s, work, loading=loading)

    host.watch.over = note  # type: ignore[assignment, method-assign]
    for _ in range(2):
        with host.use(model(made, size_bytes=10**9), limit_s=7):
            pass
    assert watched == [(600 + 200, True), (7, False), (7, False)]


def test_nothing_is_touched_on_a_device_that_hangs(host: ModelHost) -> None:
    class Sick(Engine):
        def close(self) -> None:
            raise AssertionError("a driver that hangs would hang here, too")

    with host.use(RecognizerModel("m", "fake", "1", RecognizerCapabilities(), Sick)):
        pass
    host.give_up(Call(1, model([]), "cpu", 0, 1))
    assert host.loaded() == [] and "cpu" in host.placement.lost()


def test_closing_waits_for_work_but_not_for_ever(
    settings: Settings, made: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, release, inside = ModelHost(settings), threading.Event(), threading.Event()
    with host.use(model(made, "idle")):
        pass

    def work() -> None:
        with host.use(model(made, "busy")):
            inside.set()
            release.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    monkeypatch.setattr(host_module, "CLOSING_S", 0.2)
    began = time.monotonic()
    host.close()
    assert time.monotonic() - began < 5 and [engine.closed for engine in made] == [True, False]
    release.set()
    thread.join()


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyError("/secret/path"), "MODEL_BROKEN"), (EngineError("ESPEAK_MISSING"), "ESPEAK_MISSING")],
)
def test_a_model_that_does_not_load_is_an_error_without_internals(host: ModelHost, error: Exception, code: str) -> None:
    def load(_device: str) -> Engine:
        raise error

    with (
        pytest.raises((UserError, EngineError)) as caught,
        host.use(RecognizerModel("bad", "fake", "1", RecognizerCapabilities(), load)),
    ):
        pass
    assert caught.value.code == code and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("/secret/path"), r"it failed while loading; .* give the number (\w{8}) to the administrator"),
        (
            ModuleNotFoundError("No module named 'tiktoken.core'", name="tiktoken.core"),
            "package (tiktoken), .*start_app",
        ),
    ],
)
def test_what_nobody_foresaw_in_loading_is_a_sentence_and_a_line_in_the_log(
    host: ModelHost, caplog: pytest.LogCaptureFixture, error: Exception, says: str
) -> None:
    def load(_device: str) -> Engine:
        raise error

    with (
        pytest.raises(UserError) as caught,
        host.use(RecognizerModel("bad", "fake", "1", RecognizerCapabilities(), load)),
    ):
        pass
    found = re.search(says, caught.value.notice.worded("en").message)
    assert found and type(error).__name__ not in found.string
    assert found[1] in caplog.text and type(error).__name__ in caplog.text


def test_a_broken_folder_is_refused_with_its_problem(host: ModelHost, made: list[Engine]) -> None:
    with pytest.raises(UserError) as caught, host.use(model(made, problem=Notice("MODEL_BROKEN", {"model": "m"}))):
        pass
    assert caught.value.code == "MODEL_BROKEN" and made == []


def test_an_engine_for_the_cpu_stays_there(host: ModelHost, made: list[Engine]) -> None:
    assert host.place(model(made), "cuda:0") == "cpu"
    assert host.place(model(made, device_kinds=("any",)), "cuda:0") == "cuda:0"


@pytest.mark.parametrize("kind", BY_KIND)
def test_a_kind_of_every_vendor_means_one_of_its_cards(
    host: ModelHost, made: list[Engine], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "resolve", lambda wanted: devices.Choice(f"{wanted}:3"))
    assert host.place(model(made, device_kinds=("any",)), kind) == f"{kind}:3"
