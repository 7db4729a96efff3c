"""The organisation's lexicon: kept with the settings, put into every text before it is spoken."""

from __future__ import annotations

from collections.abc import Mapping

from webui.engines.base import SynthesizerCapabilities
from webui.store.options import OptionStore
from webui.text.lexicon import Lexicon, checked, has_marks

KEY = "lexicon"


class LexiconService:
    def __init__(self, options: OptionStore) -> None:
        self._options = options

    def entries(self) -> dict[str, str]:
        """Word → reading."""
        return dict(self._options.all().get(KEY, {}))

    def replace(self, entries: Mapping[str, str], owner_id: int | None = None) -> dict[str, str]:
        """Keep `entries` instead of those before. Raises UNKNOWN_PRONUNCIATION, LEXICON_WORD, LEXICON_TOO_LONG."""
        kept = checked(entries)
        self._options.set({KEY: kept}, owner_id)
        return kept

    def frozen_for(self, text: str, capabilities: SynthesizerCapabilities) -> dict[str, str]:
        """The entries that a job about `text` uses, as its parameters keep them; those the engine can read."""
        used = Lexicon(self.entries()).used_in(text)
        return {word: reading for word, reading in used.items() if capabilities.pronunciation or not has_marks(reading)}
