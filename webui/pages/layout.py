"""The one page: a header, the six tabs, and what every tab needs when the page opens."""

from __future__ import annotations

import gradio as gr

from webui.pages import batch, clone, history, system, transcribe, voices
from webui.pages.controls import Screen, island, script

TABS = (
    ("transcribe", transcribe.build),
    ("batch", batch.build),
    ("clone", clone.build),
    ("voices", voices.build),
    ("history", history.build),
    ("system", system.build),
)


def build(t: gr.I18n) -> gr.Blocks:
    """The Blocks of the whole page; `t` looks a text's key up in the reader's locale."""
    with gr.Blocks(title="声坊 Shengfang", analytics_enabled=False) as page:
        island("sf-header")
        with gr.Tabs(elem_id="sf-tabs", overflow_behavior="wrap"):
            for name, build_tab in TABS:
                with gr.Tab(t(f"tab_{name}"), id=name, elem_classes="sf-tab") as tab:
                    build_tab(Screen(t, page, tab))
        page.load(**script("opened"))
    return page
