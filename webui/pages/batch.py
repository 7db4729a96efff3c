"""Batch: many recordings or a ZIP, a row each."""

from __future__ import annotations

import gradio as gr

from webui.pages.controls import Screen, island, recognition, script


def build(screen: Screen) -> None:
    with gr.Row(elem_classes="sf-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="sf-card"):
            island("sf-recordings")
            controls = recognition(screen)
            start = gr.Button(screen.t("start_batch"), variant="primary", elem_id="sf-start-batch")
        with gr.Column(scale=8, min_width=320):
            island("sf-batch")
    start.click(**script("transcribeAll", controls.by_name()))
