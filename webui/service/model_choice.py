"""Which of the models that are present is meant by a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from webui.engines import catalog
from webui.engines.base import AnyModel, RecognizerModel, SynthesizerModel, UnusableModel
from webui.errors import Notice, UserError
from webui.jobs.post_processing import JobCapabilities

Chosen = RecognizerModel | SynthesizerModel
M = TypeVar("M", bound=Chosen)

DEFAULTS = frozenset({"", "auto", "whisper-1", "tts-1", "gpt-4o-transcribe", "gpt-4o-mini-tts"})
DEFAULT_OPTIONS = {"recognizer": "default_recognizer", "synthesizer": "default_synthesizer"}  # kind → field of Options
_USE = {"recognizer": "KIND_TRANSCRIBE", "synthesizer": "KIND_SPEAK"}


@dataclass(frozen=True)
class Options:
    """What an administrator chooses on the System tab; None = by itself."""

    default_recognizer: str | None = None
    default_synthesizer: str | None = None
    device: str = "auto"


@dataclass(frozen=True)
class PresentModels:
    """The models at one moment, and the administrator's choice among them."""

    models: Sequence[AnyModel]
    options: Options

    @classmethod
    def of(cls, found: Sequence[AnyModel], options: Options) -> PresentModels:
        """Each recognizer with what jobs do beside it."""
        return cls([_as_offered(model, found) for model in found], options)

    def resolve(self, name: str, kind: type[M]) -> M:
        """As ModelService.resolve."""
        found = self._default(kind) if name in DEFAULTS else self._named(name, kind)
        if found.problem is not None:
            raise named_problem(found, found.problem).as_error(param="model")
        return found

    def default_name(self, kind: type[Chosen]) -> str | None:
        """The default's name, None where no model of the kind can be used."""
        try:
            return self.resolve("auto", kind).name
        except UserError:
            return None

    def with_own_voice(self) -> SynthesizerModel | None:
        """The best usable synthesizer that speaks without a prompt."""
        able = [model for model in self._of(SynthesizerModel) if model.capabilities.own_voice]
        return catalog.best(able, SynthesizerModel)

    def unknown(self, name: str, kind: type[M]) -> UserError:
        """MODEL_NOT_FOUND, naming those of the kind that there are."""
        available = ", ".join(model.name for model in self._of(kind))
        return UserError("MODEL_NOT_FOUND", param="model", model=name, available=available)

    def _default(self, kind: type[M]) -> M:
        usable = [model for model in self._of(kind) if model.problem is None and model.offered]
        chosen = getattr(self.options, DEFAULT_OPTIONS[kind.kind])
        for model in usable:
            if model.name == chosen:
                return model
        best = catalog.best(usable, kind)
        if best is None:
            raise self.unknown("auto", kind)
        return best

    def _named(self, name: str, kind: type[M]) -> M:
        matching = [model for model in self.models if model.name == name]
        for model in matching:
            if isinstance(model, kind):
                return model
            if isinstance(model, UnusableModel) and model.problem:
                raise named_problem(model, model.problem).as_error(param="model")
        if matching:
            raise UserError("MODEL_WRONG_KIND", param="model", model=name, kind=Notice(_USE[kind.kind]))
        raise self.unknown(name, kind)

    def _of(self, kind: type[M]) -> list[M]:
        return [model for model in self.models if isinstance(model, kind)]


def named_problem(model: AnyModel, problem: Notice) -> Notice:
    """A plug-in need not repeat the model's name."""
    return Notice(problem.code, {"model": model.name, **problem.params})


def _as_offered(model: AnyModel, present: Iterable[AnyModel]) -> AnyModel:
    """With what a job can do with it; a job's steps themselves ask the model for its own."""
    if not isinstance(model, RecognizerModel):
        return model
    return replace(model, capabilities=JobCapabilities.of(model.capabilities, present))
