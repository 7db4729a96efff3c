"""Voices: the saved voices with their consent, adding one, and how the organisation's words are read."""

from __future__ import annotations

from webui.pages.controls import Screen, island


def build(_screen: Screen) -> None:
    island("sf-voices")
    island("sf-lexicon")
