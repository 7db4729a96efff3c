"""What `doctor` looks at: one function a subject, each giving lines of what works, what is missing, and the cure."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from webui import devices
from webui.cli import hardware
from webui.cli.texts import diagnosis
from webui.disk import ROOM_TO_WORK
from webui.engines import catalog
from webui.engines.base import AnyModel
from webui.errors import UserError
from webui.settings import ROOT, Settings, terminal_locale

State = Literal["ok", "note", "bad"]

_PAIR_RUN = "2.13.0"  # the torch with which the code for Ascend was run, on the simulator


@dataclass(frozen=True)
class Line:
    """`note`: works, but the administrator should know; `bad`: something will not work."""

    subject: str
    state: State
    text: str
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: Settings) -> Iterator[Line]:
    """All lines, quickest first. A check that itself fails is a bad line, not the end."""
    checks: tuple[Callable[[Settings], Iterator[Line]], ...] = (
        _python,
        _packages,
        _pair,
        _torch,
        _devices,
        _models,
        _espeak,
        _data,
        _port,
        _label,
    )
    for check in checks:
        try:
            yield from check(settings)
        except Exception as error:
            yield Line(check.__name__.strip("_"), "bad", f"{type(error).__name__}: {error}")


def _line(subject: str, state: State, key: str, **values: Any) -> Line:
    text, hint = diagnosis(key, **values)
    return Line(subject, state, text, hint)


def _python(_settings: Settings) -> Iterator[Line]:
    version = platform.python_version()
    fits = (3, 10) <= sys.version_info[:2] <= (3, 13)
    yield _line("python", "ok" if fits else "bad", "python" if fits else "python_unfit", version=version)
    own = sys.prefix != sys.base_prefix
    yield _line("venv", "ok" if own else "note", "venv" if own else "venv_none", folder=sys.prefix)


def _packages(_settings: Settings) -> Iterator[Line]:
    """The pinned requirements against what is installed."""
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements-common.txt").read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    wanted = [pin for pin in pinned if pin.marker is None or pin.marker.evaluate()]
    missing, other = [], []
    for pin in wanted:
        try:
            installed = importlib.metadata.version(pin.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(pin.name)
            continue
        if installed not in pin.specifier:
            other.append(f"{pin.name} {installed} ({pin.specifier})")
    if missing:
        yield _line("packages", "bad", "packages_missing", names=", ".join(missing))
    if other:
        yield _line("packages", "note", "packages_other", names=", ".join(other))
    if not missing and not other:
        yield _line("packages", "ok", "packages", count=len(wanted))


def _pair(_settings: Settings) -> Iterator[Line]:
    """torch and torch_npu by what is installed, before either is loaded: they must be of the same release."""
    torch, npu = _installed("torch"), _installed("torch_npu")
    if torch is None or npu is None:
        return
    pair = {"torch": torch, "npu": npu}
    if _release(torch) != _release(npu):
        yield _line("torch-npu", "bad", "pair_unfit", wanted=".".join(map(str, _release(npu))), **pair)
    elif _release(torch) < (2, 6, 0):
        yield _line("torch-npu", "bad", "pair_old", **pair)
    else:
        run = torch.startswith(_PAIR_RUN)
        yield _line("torch-npu", "ok" if run else "note", "pair_run" if run else "pair_untested", **pair)


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """ "2.10.0.post3+cpu" → (2, 10, 0)."""
    return tuple(int(part) for part in version.split("+")[0].split(".")[:3] if part.isdigit())


def _torch(_settings: Settings) -> Iterator[Line]:
    version, build = hardware.cpu_build(), "CPU"
    if not version:
        try:
            torch = devices.load_torch()
        except UserError as error:
            worded = error.notice.worded(terminal_locale())
            yield Line("torch", "bad", worded.message, worded.hint)
            return
        version, build = torch.__version__, f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    yield _line("torch", "ok", "torch", version=version, build=build)
    try:
        yield _line("torchaudio", "note", "torchaudio", version=importlib.metadata.version("torchaudio"))
    except importlib.metadata.PackageNotFoundError:
        return


def _devices(settings: Settings) -> Iterator[Line]:
    """Those there are, and the one that the configuration names, where it cannot be used."""
    for device in hardware.probe():
        if device.problem:
            worded = device.problem.worded(terminal_locale())
            yield Line(device.id, "note" if device.usable else "bad", worded.message, worded.hint)
        else:
            memory = f", {device.memory_total / 2**30:.0f} GiB" if device.memory_total else ""
            yield Line(device.id, "ok" if device.usable else "bad", f"{device.name}{memory}")
    if settings.device in ("auto", "cpu"):
        return
    try:
        devices.resolve(settings.device)
    except UserError as error:
        worded = error.notice.worded(terminal_locale())
        yield Line("device", "bad", worded.message, worded.hint)


def _models(settings: Settings) -> Iterator[Line]:
    found = catalog.to_show(catalog.available(settings))
    only_cpu = all(device.id == "cpu" for device in hardware.probe() if device.usable)
    for model in found:
        if model.problem:
            worded = model.problem.worded(terminal_locale())
            yield Line(model.name, "bad", worded.message, worded.hint)
        else:
            yield Line(model.name, "ok", f"{model.engine}, {model.kind}")
            if only_cpu and _serves(model) and model.optimise and not model.optimised:
                yield _line(model.name, "note", "not_optimised", name=model.name)
    real = {model.kind for model in found if not model.problem and _serves(model)}
    if "recognizer" not in real:
        yield _line("models", "note", "no_recognizer")
    if "synthesizer" not in real:
        yield _line("models", "note", "no_synthesizer")


def _serves(model: AnyModel) -> bool:
    """Whether it is for people's recordings and texts, not the stopgap and not the self-test's."""
    return model.dependable and model.offered


def _espeak(settings: Settings) -> Iterator[Line]:
    from webui.engines.base import EngineError
    from webui.engines.basic.espeak import Espeak

    espeak = Espeak(settings.espeak_library, settings.espeak_data)
    try:
        yield _line("espeak-ng", "ok", "espeak", version=espeak.version())
    except EngineError:
        yield _line("espeak-ng", "bad", "espeak_missing")
    finally:
        espeak.close()


def _data(settings: Settings) -> Iterator[Line]:
    nearest = next(folder for folder in (settings.data, *settings.data.parents) if os.access(folder, os.F_OK))
    free = shutil.disk_usage(nearest).free
    room = f"{free / 2**30:.1f} GiB"
    enough = free > max(settings.disk_reserve_bytes, ROOM_TO_WORK)
    key = "disk" if enough else "disk_full"
    yield _line("disk", "ok" if enough else "bad", key, folder=settings.data, free=room)
    present = [path for path in (nearest, settings.database) if os.access(path, os.F_OK)]
    if not all(os.access(path, os.W_OK) for path in present):
        yield _line("data", "bad", "data_unwritable", folder=settings.data)
    elif len(present) == 2 and all(path.stat().st_mode & stat.S_IROTH for path in present):
        yield _line("data", "note", "data_open", folder=settings.data)


def _port(settings: Settings) -> Iterator[Line]:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError:
            yield _line("port", "note", "port_taken", port=settings.port)
            return
    yield _line("port", "ok", "port", port=settings.port)


def _label(settings: Settings) -> Iterator[Line]:
    from webui.audio.aigc_label.label import is_producer_code

    code = settings.producer_code
    key = "label" if is_producer_code(code) else "label_odd" if code else "label_none"
    yield _line("label", "ok" if key == "label" else "note", key, code=code)
