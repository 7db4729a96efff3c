"""History: every job of the reader, searched and filtered."""

from __future__ import annotations

from webui.pages.controls import Screen, island


def build(_screen: Screen) -> None:
    island("sf-history")
