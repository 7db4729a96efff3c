"""Voices: the saved voices with their consent, and adding one."""

from __future__ import annotations

from webui.pages.controls import Screen, island


def build(_screen: Screen) -> None:
    island("sf-voices")
