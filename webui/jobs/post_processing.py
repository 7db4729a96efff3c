"""What follows every recognition, whoever made the model: punctuation, hotwords by sound, numbers in digits.

Each step is left out where the model does it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from webui.engines import catalog
from webui.engines.base import (
    AnyModel,
    EmbedderModel,
    Punctuator,
    PunctuatorModel,
    Recognition,
    RecognitionOptions,
    RecognizerCapabilities,
    RecognizerModel,
    Word,
)
from webui.jobs.context import Context
from webui.text import hotwords, itn
from webui.text.languages import is_among, primary
from webui.text.sentences import dominant_language

_MARK = re.compile(r"[，。？！、；：,.?!;:]")


@dataclass(frozen=True)
class JobCapabilities(RecognizerCapabilities):
    """What a job can do with a model: `hotwords` and `speakers` are the model's own, or a step of the job."""

    @classmethod
    def of(cls, own: RecognizerCapabilities, present: Iterable[AnyModel]) -> JobCapabilities:
        """With a model that by itself can do `own`, beside the models that are `present`."""
        hotwords = own.hotwords or _may_be_corrected(own.languages)
        speakers = own.speakers or catalog.best(present, EmbedderModel) is not None
        able = replace(cls(**vars(own)), hotwords=hotwords, speakers=speakers)
        reasons = {control: code for control, code in own.unavailable.items() if not getattr(able, control, False)}
        return replace(able, unavailable=reasons)


class PostProcessor:
    """The steps that one model leaves to the job."""

    def __init__(self, context: Context, model: RecognizerModel, options: RecognitionOptions) -> None:
        self._host = context.host
        self._own = model.capabilities
        self._options = options
        self._marks = None if self._own.punctuation else catalog.best(context.models(), PunctuatorModel)

    def process(self, found: Sequence[Recognition]) -> list[Recognition]:
        """`found` as it is shown; `text_raw` stays. Raises UserError, EngineError where a punctuator does not load."""
        with ExitStack() as using:
            marks = using.enter_context(self._host.use(self._marks, "cpu")) if self._marks and found else None
            return [self._post_processed(each, marks) if each.text else each for each in found]

    def _post_processed(self, found: Recognition, marks: Punctuator | None) -> Recognition:
        language = _language(found, self._options)
        if marks is not None and self._writes(language) and not _MARK.search(found.text):
            found = replace(found, text=marks.punctuate(found.text))
        if self._options.hotwords and not self._own.hotwords and language in hotwords.LANGUAGES:
            found = _corrected(found, self._options.hotwords)
        if self._options.itn and not self._own.itn and language in itn.LANGUAGES:
            found = _in_digits(found)
        return found

    def _writes(self, language: str) -> bool:
        """Whether the punctuator knows the language."""
        known = self._marks.capabilities.languages if self._marks else ()
        return not known or language in known


def _language(found: Recognition, options: RecognitionOptions) -> str:
    """The primary language of the text: as the model says, as asked for, or by its characters."""
    told = found.language or ("" if options.language == "auto" else options.language)
    return primary(told or dominant_language(found.text))


def _may_be_corrected(languages: Sequence[str]) -> bool:
    """Whether hotwords can be corrected in some segment of a model that knows `languages` (empty = any)."""
    return not languages or any(is_among(code, hotwords.LANGUAGES) for code in languages)


def _corrected(found: Recognition, words: Sequence[str]) -> Recognition:
    """The hotwords that were nearly heard, in the text and in its words."""
    text, hits = hotwords.correct(found.text, words)
    if not any(hit.heard for hit in hits):
        return found
    return replace(found, text=text, words=_rewritten(found.words, found.text, text))


def _rewritten(words: Sequence[Word], before: str, after: str) -> tuple[Word, ...]:
    """The words of `before` with the characters of `after`, where it corrected some one for one; else as they were."""
    if len(before) != len(after):
        return tuple(words)
    changed: list[Word] = []
    position = 0
    for word in words:
        at = before.find(word.text, position)
        if at < 0:
            return tuple(words)
        position = at + len(word.text)
        changed.append(replace(word, text=after[at:position]))
    return tuple(changed)


def _in_digits(found: Recognition) -> Recognition:
    """Numbers as they are written; words under one number become one word."""
    words = found.words
    joined = tuple(
        Word(written, words[first].start, words[last - 1].end, _least(words[first:last]))
        for written, first, last in itn.regroup([word.text for word in words], found.text)
    )
    return replace(found, text=itn.apply(found.text), words=joined)


def _least(words: Sequence[Word]) -> float | None:
    return min((word.confidence for word in words if word.confidence is not None), default=None)
