"""Transcribe: one recording, its options, and the job as it goes."""

from __future__ import annotations

import gradio as gr

from webui.pages.controls import Screen, island, recognition, script


def build(screen: Screen) -> None:
    with gr.Row(elem_classes="sf-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="sf-card"):
            island("sf-recording")
            controls = recognition(screen)
            start = gr.Button(screen.t("start_transcribing"), variant="primary", elem_id="sf-start-transcribing")
        with gr.Column(scale=8, min_width=320):
            island("sf-transcribe")
    start.click(**script("transcribe", controls.by_name()))
