"""Text normalisation before speech: numbers, dates, units and signs in words."""

from __future__ import annotations


class Normaliser:
    def normalise(self, text: str, language: str) -> str:
        return text
