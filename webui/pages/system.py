"""System: devices, models and the state of the server."""

from __future__ import annotations

import gradio as gr

from webui.pages.controls import Screen, island, script


def build(screen: Screen) -> None:
    t = screen.t
    with gr.Column(elem_classes="sf-card"), gr.Row():
        automatic = [(t("automatic"), "auto")]
        device = gr.Dropdown(automatic, value="auto", label=t("device"), info=t("device_info"))
        recognizer = gr.Dropdown(automatic, value="auto", label=t("default_recognizer"), info=t("default_info"))
        synthesizer = gr.Dropdown(automatic, value="auto", label=t("default_synthesizer"), info=t("default_info"))
    island("sf-system")
    controls = {"device": device, "recognizer": recognizer, "synthesizer": synthesizer}
    screen.when_shown("systemChoices", controls, controls)
    for control in controls.values():
        control.input(**script("saveSettings", controls))
