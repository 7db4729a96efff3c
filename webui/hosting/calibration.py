"""How fast a model is on an accelerator and on the CPU: measured once, remembered with what it was measured with."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from webui import devices
from webui.audio.units import Seconds
from webui.devices.vendors import PLUGINS, VENDORS
from webui.disk import sha256
from webui.engines.base import AnyModel, RecognitionOptions, Recognizer, Samples, SpeechOptions, Synthesizer, Waveform
from webui.hosting.key_value import KeyValueStore

log = logging.getLogger(__name__)

PIECE_S = 4.0  # of the recordings that are recognised on trial
SENTENCE = "今天天气很好。"
_RATE = 16_000
_PACKAGES = ("torch", *PLUGINS)
_DRIVERS = tuple(file for vendor in VENDORS for file in vendor.driver_files)

Trial = Callable[[], float]  # seconds of audio that it worked on
Stop = Callable[[], bool]  # whether nobody waits for the measurement any more


@dataclass(frozen=True)
class Speeds:
    """Seconds of audio in a second of work, on `device` and on the CPU."""

    device: str
    there: float
    cpu: float

    @property
    def cpu_wins(self) -> bool:
        return self.cpu > self.there

    def figures(self) -> dict[str, str]:
        """What fills the wording MEASURED."""
        chosen = "cpu" if self.cpu_wins else self.device
        return {"device": self.device, "there": _figure(self.there), "cpu": _figure(self.cpu), "chosen": chosen}

    def __str__(self) -> str:
        """As it is shown: "npu:0: 38× real time; cpu: 4.1×"."""
        return f"{self.device}: {_figure(self.there)}× real time; cpu: {_figure(self.cpu)}×"


class Stopped(Exception):
    """Whoever asked for the calibration no longer wants it."""


class Calibrations:
    """The measurements. Thread-safe; one is made at a time. Exchanged weights, drivers or torch make them void, and so
    does an ONNX export or int8 quantisation for the CPU.
    """

    def __init__(self, memory: KeyValueStore) -> None:
        self._memory = memory
        self.lock = threading.Lock()  # held by who measures

    def find(self, model: AnyModel, device: str) -> Speeds | None:
        """What is known of `model` on the kind of `device`."""
        kept = self._memory.load(_key(model, device))
        if not kept or kept.get("of") != _conditions(model):
            return None
        return Speeds(kept["device"], kept["there"], kept["cpu"])

    def keep(self, model: AnyModel, speeds: Speeds) -> None:
        value = {"of": _conditions(model), "device": speeds.device, "there": speeds.there, "cpu": speeds.cpu}
        self._memory.save(_key(model, speeds.device), value)
        log.info("%s: %s", model.name, speeds)


def measure(trial: Trial, stop: Stop, enough: float = float("inf")) -> float:
    """Seconds of audio in a second of work; a few seconds. The first of two trials, which may compile, does not count,
    unless it is already slower than `enough`, half of what it is compared with.

    Raises Stopped, and what the trial raises.
    """
    first = _timed(trial, stop)
    return first if first < enough / 2 else _timed(trial, stop)


def versions() -> str:
    """What a measurement depends on beside the weights: torch, its plug-ins, the driver."""
    found = []
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    for file in map(Path, _DRIVERS):
        with suppress(OSError):
            found.append(sha256(file)[:12])
    return ", ".join(found)


def _conditions(model: AnyModel) -> list[object]:
    """What a measurement of `model` holds for: its weights, the precision that the CPU computes with, the versions."""
    return [model.revision, model.optimised["use"] if model.optimised else None, versions()]


def synthetic_voice(seconds: Seconds) -> Samples:
    """A voice-like hum, float32 at 16 kHz: what is in it does not matter, only how long it takes."""
    times = np.arange(round(seconds * _RATE)) / _RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * times)) / _RATE
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 16)], axis=0)
    return np.asarray(0.1 * voice * np.clip(np.sin(2 * np.pi * 4 * times), 0.05, 1), np.float32)


def _figure(speed: float) -> str:
    """Two significant digits, without an exponent."""
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"


def _timed(trial: Trial, stop: Stop) -> float:
    if stop():
        raise Stopped
    began = time.perf_counter()
    seconds = trial()
    return seconds / (time.perf_counter() - began)


def recognizing(engine: Recognizer, _stop: Stop) -> Trial:
    """A few seconds of sound to recognise."""
    batch = [Waveform(synthetic_voice(PIECE_S), _RATE)] * 2

    def trial() -> float:
        engine.recognize(batch, RecognitionOptions())
        return len(batch) * PIECE_S

    return trial


def speaking(engine: Synthesizer, stop: Stop) -> Trial:
    """A sentence in a voice that is enrolled before. Raises what the engine raises; the trial Stopped too."""
    voice = engine.enrol(Waveform(synthetic_voice(PIECE_S), _RATE), "")

    def trial() -> float:
        seconds = 0.0
        for piece in engine.speak(SENTENCE, voice, SpeechOptions(language="zh")):
            seconds += piece.seconds
            if stop():
                raise Stopped
        return seconds

    return trial


def _key(model: AnyModel, device: str) -> str:
    return f"speed {model.kind} {model.name} {devices.kind_of(device)}"
