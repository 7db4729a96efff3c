"""The espeak-ng worker: a process of its own that is started again when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from webui.engines.base import EngineError
from webui.engines.basic import espeak as espeak_module
from webui.engines.basic.espeak import Espeak


@pytest.fixture
def espeak() -> Iterator[Espeak]:
    speaker = Espeak()
    yield speaker
    speaker.close()


def worker_id(espeak: Espeak) -> int:
    assert espeak._worker is not None
    return espeak._worker.process.pid


def test_it_speaks_and_gives_phonemes(espeak: Espeak) -> None:
    speech = espeak.speak("Hello there, this is a test.", "en-us", rate=165)
    assert speech.rate == 22050
    assert 1.0 < speech.seconds < 3.0
    assert speech.samples.dtype == "float32"
    assert 0.1 < abs(speech.samples).max() <= 1
    assert espeak.phonemes(["hao4", "nv3"], "cmn-latn-pinyin")[0].startswith("X'Au51")
    assert espeak.version()


def test_the_same_text_always_gives_the_same_samples(espeak: Espeak) -> None:
    first = espeak.speak("One two three.", "en-us", 165).samples
    espeak.speak("[[n'i35]] [[X'Au214]]", "cmn", 200)
    assert np.array_equal(espeak.speak("One two three.", "en-us", 165).samples, first)


def test_the_rate_shortens_the_speech(espeak: Espeak) -> None:
    slow, fast = (espeak.speak("One two three four five six.", "en-us", rate).seconds for rate in (100, 300))
    assert fast < 0.6 * slow


def test_nothing_of_espeak_or_of_the_application_crosses_the_border(espeak: Espeak) -> None:
    espeak.speak("Hello.", "en-us", 165)
    loaded = Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""
    assert "libespeak" not in loaded
    source = Path(espeak_module.__file__).with_name("espeak_worker.py").read_text()
    assert "webui" not in source


def test_a_killed_worker_is_started_again(espeak: Espeak) -> None:
    before = espeak.speak("Hello there.", "en-us", 165)
    first = worker_id(espeak)
    os.kill(first, signal.SIGKILL)
    after = espeak.speak("Hello there.", "en-us", 165)
    assert worker_id(espeak) != first
    assert len(after.samples) == len(before.samples)


def test_a_worker_that_always_dies_is_an_error_and_no_loop(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    original = espeak_module.Worker.ask

    def dying(self, request, limit_s):
        started.append(self.process.pid)
        self.process.kill()
        return original(self, request, limit_s=limit_s)

    monkeypatch.setattr(espeak_module.Worker, "ask", dying)
    with pytest.raises(EngineError) as raised:
        espeak.speak("Hello.", "en-us", 165)
    assert raised.value.code == "ENGINE_FAILED"
    assert len(set(started)) == 2
    monkeypatch.undo()
    assert espeak.speak("Hello.", "en-us", 165).seconds > 0.2


def test_a_worker_that_hangs_is_ended(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    espeak.version()
    monkeypatch.setattr(espeak_module, "TIME_LIMIT_S", 3)
    os.kill(worker_id(espeak), signal.SIGSTOP)
    assert espeak.speak("Hello.", "en-us", 165).seconds > 0.2


def test_a_refused_request_leaves_the_worker_alive(espeak: Espeak) -> None:
    espeak.version()
    first = worker_id(espeak)
    with pytest.raises(EngineError):
        espeak.speak("Hello.", "no-such-voice", 165)
    assert worker_id(espeak) == first


@pytest.mark.parametrize("library", ["missing.so", "text.so"])
def test_a_library_that_does_not_load_is_named_clearly(tmp_path: Path, library: str) -> None:
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(EngineError) as raised:
        Espeak(tmp_path / library).speak("Hello.", "en-us", 165)
    assert raised.value.code == "ESPEAK_MISSING"


def test_without_any_library_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(espeak_module.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(EngineError) as raised:
        Espeak().version()
    assert raised.value.code == "ESPEAK_MISSING"


def test_threads_may_share_one(espeak: Espeak) -> None:
    lengths: dict[int, set[int]] = {}

    def speak(count: int) -> None:
        lengths[count] = {len(espeak.speak("one " * count, "en-us", 165).samples) for _ in range(3)}

    threads = [threading.Thread(target=speak, args=(count,)) for count in (1, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(found) == 1 for found in lengths.values())
    assert max(lengths[1]) < max(lengths[4]) < max(lengths[8])


def test_closing_ends_the_process(espeak: Espeak) -> None:
    espeak.version()
    process = espeak._worker.process  # type: ignore[union-attr]
    espeak.close()
    assert process.poll() is not None
    assert espeak.speak("Hello.", "en-us", 165).seconds > 0.2  # and it can be used again


def test_the_worker_ends_with_its_input() -> None:
    import espeakng_loader

    worker = Path(espeak_module.__file__).with_name("espeak_worker.py")
    command = [sys.executable, "-I", "-S", str(worker), espeakng_loader.get_library_path(), ""]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    assert done.returncode in (0, 1)
    assert b"version" in done.stdout or b"error" in done.stdout
