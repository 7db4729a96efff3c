"""Clone: a voice, a text, and the speech: three steps from top to bottom."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from webui.pages.controls import Screen, island, quiet, script

FORMATS = ("wav", "mp3", "flac", "opus", "aac")


def build(screen: Screen) -> None:
    t = screen.t
    with gr.Row(elem_classes="sf-columns"):
        with gr.Column(scale=6, min_width=320):
            voice = _voice_step(t)
            model, text, instruct = _text_step(t)
        with gr.Column(scale=6, min_width=320):
            shaping = _shaping_step(t)
            start = gr.Button(t("start_speaking"), variant="primary", elem_id="sf-start-speaking")
            island("sf-speech")
    similarity = shaping[0]
    screen.when_shown("synthesizers", [model], [model, instruct, similarity])
    screen.when_shown("voiceChoices", [voice], [voice])
    voice.change(js=script("voiceChosen"), **quiet([voice]))
    model.input(js=script("synthesizerChosen"), **quiet([model], [instruct, similarity]))
    start.click(js=script("speak"), **quiet([voice, model, text, instruct, *shaping]))


def _voice_step(t: gr.I18n) -> gr.Dropdown:
    with gr.Column(elem_classes="sf-card"):
        island("sf-step", number="1", text="step_voice")
        voice = gr.Dropdown(
            [(t("voice_new"), ""), (t("voice_builtin"), "builtin")], value="", label=t("voice"), elem_id="sf-voice"
        )
        island("sf-prompt", where="clone")
    return voice


def _text_step(t: gr.I18n) -> tuple[gr.Dropdown, gr.Textbox, gr.Dropdown]:
    with gr.Column(elem_classes="sf-card"):
        island("sf-step", number="2", text="step_text")
        text = gr.Textbox(label=t("text_to_speak"), lines=6, placeholder=t("text_example"), elem_id="sf-text")
        island("sf-text-help")
        model = gr.Dropdown([(t("auto_model"), "auto")], value="auto", label=t("model"))
        instruct = gr.Dropdown([], value="", label=t("instruct"), info=t("instruct_info"), allow_custom_value=True)
    return model, text, instruct


def _shaping_step(t: gr.I18n) -> list[Component]:
    with gr.Column(elem_classes="sf-card"):
        island("sf-step", number="3", text="step_listen")
        similarity = gr.Slider(0, 1, value=0.55, step=0.05, label=t("similarity"), info=t("similarity_info"))
        speed = gr.Slider(0.5, 2, value=1, step=0.05, label=t("speed"))
        with gr.Row():
            seed = gr.Number(value=0, minimum=0, precision=0, label=t("seed"), info=t("seed_info"), min_width=120)
            form = gr.Dropdown(list(FORMATS), value="wav", label=t("format"), info=t("format_info"), min_width=120)
    return [similarity, speed, seed, form]
