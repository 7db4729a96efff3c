"""The models that are present, their downloads, and the settings that choose among them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from webui import devices
from webui.engines import catalog
from webui.engines.base import AnyModel, RecognizerModel, SynthesizerModel
from webui.errors import Notice, UserError
from webui.hosting.host import ModelHost
from webui.service.device_table import speed_of
from webui.service.model_choice import DEFAULT_OPTIONS, DEFAULTS, Chosen, M, Options, PresentModels, named_problem
from webui.service.optimising import Optimisation, Optimisations
from webui.settings import Settings
from webui.store.options import OptionStore

log = logging.getLogger(__name__)

_KINDS: tuple[type[RecognizerModel], type[SynthesizerModel]] = (RecognizerModel, SynthesizerModel)

PullState = Literal["running", "failed"]


@dataclass
class Pull:
    """A download: bytes `done` of `total`; `error` why it failed."""

    state: PullState = "running"
    done: int = 0
    total: int = 0
    error: Notice | None = None


@dataclass(frozen=True)
class ListedModel:
    """`loaded_on`: devices; `speed`: what was measured on the accelerator, as text, "" where nothing was."""

    model: AnyModel
    problem: Notice | None
    loaded_on: Sequence[str]
    default: bool
    speed: str
    optimisation: Optimisation | None


@dataclass(frozen=True)
class ListedEntry:
    """A model of the catalogue; `present`: its folder is there."""

    entry: catalog.Entry
    present: bool
    pull: Pull | None


@dataclass(frozen=True)
class ModelListing:
    models: Sequence[ListedModel]
    catalog: Sequence[ListedEntry]


class ModelService:
    """Names, defaults and downloads. Reads the folder each time: a model copied into it is there at once."""

    def __init__(self, settings: Settings, options: OptionStore, host: ModelHost) -> None:
        self._settings = settings
        self._options = options
        self._host = host
        self._pulls: dict[str, Pull] = {}
        self._optimisations = Optimisations(done=host.free)
        self._lock = threading.Lock()

    def present(self) -> PresentModels:
        """What is in the folder now: reads it once, for as many questions as a request has."""
        return PresentModels.of(catalog.available(self._settings), self.options())

    def available(self) -> list[Chosen]:
        """The recognizers, with what jobs do beside them, and the synthesizers; what helps them nobody chooses."""
        return catalog.to_choose(self.present().models)

    def resolve(self, name: str, kind: type[M]) -> M:
        """The model meant by `name`; a default's name means the administrator's choice, else the best present.

        Raises MODEL_NOT_FOUND, MODEL_WRONG_KIND, MODEL_BROKEN.
        """
        return self.present().resolve(name, kind)

    def dependable_recognizer(self, language: str) -> RecognizerModel:
        """The default recognizer, where it is no stopgap. Raises MODEL_NEEDED."""
        model = self.resolve("auto", RecognizerModel)
        if not model.dependable:
            shown = Notice("LANGUAGE_AUTO") if language == "auto" else language
            raise UserError("MODEL_NEEDED", param="file", language=shown)
        return model

    def device_for(self, asked: str) -> str:
        """The device a job waits for: as asked, else the administrator's choice. Raises DEVICE_UNAVAILABLE where
        this server has no worker on it, so that nothing waits for ever."""
        device = self.options().device if asked == "auto" else asked
        if device in ("auto", "cpu"):
            return device
        devices.resolve(device)
        served = devices.cards(self._settings.device)
        if device not in {*served, *map(devices.kind_of, served)}:
            raise UserError("DEVICE_UNAVAILABLE", param="device", device=device, reason=Notice("DEVICE_NOT_SERVED"))
        return device

    def default_name(self, kind: type[Chosen]) -> str | None:
        """The default's name, None where no model of the kind can be used."""
        return self.present().default_name(kind)

    def listing(self) -> ModelListing:
        """The models that are present, folders of which nothing can be made too, and those of the catalogue."""
        present = self.present()
        defaults = {(kind.kind, present.default_name(kind)) for kind in _KINDS}
        loaded: dict[tuple[str, str], list[str]] = {}
        for instance in self._host.loaded():
            loaded.setdefault((instance.name, instance.kind), []).append(instance.device)
        return ModelListing(
            [
                ListedModel(
                    model,
                    problem=named_problem(model, model.problem) if model.problem else None,
                    loaded_on=loaded.get((model.name, model.kind), []),
                    default=(model.kind, model.name) in defaults,
                    speed=speed_of(self._host, model) if isinstance(model, _KINDS) else "",
                    optimisation=self._optimisations.of(model) if isinstance(model, _KINDS) else None,
                )
                for model in catalog.to_show(present.models)
            ],
            [
                ListedEntry(entry, (self._settings.models / entry.name).is_dir(), self._pulls.get(entry.name))
                for entry in catalog.entries(self._settings).values()
            ],
        )

    def options(self) -> Options:
        stored = self._options.all()
        known = {key: stored[key] for key in Options.__dataclass_fields__ if key in stored}
        return Options(**known)

    def set_options(self, values: Mapping[str, Any], owner_id: int | None = None) -> Options:
        """Change what is given. Raises MODEL_…, SELF_TEST_ONLY, DEVICE_UNAVAILABLE for what cannot be used."""
        present = self.present()
        for kind in _KINDS:
            option = DEFAULT_OPTIONS[kind.kind]
            if values.get(option) and not present.resolve(values[option], kind).offered:
                raise UserError("SELF_TEST_ONLY", param=option, model=values[option])
        self.device_for(values.get("device", "auto"))
        self._options.set(values, owner_id)
        return self.options()

    def pull(self, name: str, source: str | None = None) -> None:
        """Begin to download a model of the catalogue; `listing` shows how far it is. Raises MODEL_NOT_FOUND."""
        known = catalog.entries(self._settings)
        if name not in known:
            raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(known))
        with self._lock:
            if name in self._pulls and self._pulls[name].state == "running":
                return
            self._pulls[name] = pull = Pull()
        threading.Thread(target=self._pull, args=(name, source, pull), name=f"pull {name}", daemon=True).start()

    def optimise(self, name: str) -> None:
        """Begin to make a model faster on the CPU; `listing` shows how far it is.

        Raises MODEL_NOT_FOUND, MODEL_BROKEN, NOT_CAPABLE.
        """
        present = self.present()
        if name in DEFAULTS:
            raise present.unknown(name, RecognizerModel)
        able = {type(model) for model in present.models if model.name == name and model.optimise}
        kind = SynthesizerModel if SynthesizerModel in able else RecognizerModel
        self._optimisations.begin(present.resolve(name, kind))

    def _pull(self, name: str, source: str | None, pull: Pull) -> None:
        from webui.engines.download import pull as download

        def progress(done: int, total: int) -> None:
            pull.done, pull.total = done, total

        try:
            download(self._settings, name, source, progress)
        except UserError as error:
            pull.error = error.notice
        except Exception:
            log.exception("pulling %s failed", name)
            pull.error = Notice("PULL_OFFLINE", {"model": name})
        if pull.error:
            pull.state = "failed"
            return
        with self._lock:
            del self._pulls[name]
