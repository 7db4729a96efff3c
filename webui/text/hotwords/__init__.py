"""Hotwords: cleaning what users type, finding them in a text, and correcting a text by sound."""

from webui.text.hotwords.cleaning import clean
from webui.text.hotwords.correction import LANGUAGES, correct
from webui.text.hotwords.finding import Hit, find, with_heard

__all__ = ["LANGUAGES", "Hit", "clean", "correct", "find", "with_heard"]
