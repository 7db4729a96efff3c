"""Clone: a voice on the left; on the right what it says, or the recording it takes over, and the result."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from webui.audio.formats import AUDIO_FORMATS
from webui.pages.controls import Screen, island, script

FORMATS = [name for name, row in AUDIO_FORMATS.items() if row.header]


def build(screen: Screen) -> None:
    t = screen.t
    with gr.Row(elem_classes="sf-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="sf-card"):
            island("sf-step", number="1", text="step_voice")
            voice = gr.Dropdown(
                [(t("voice_new"), ""), (t("voice_builtin"), "builtin")], value="", label=t("voice"), elem_id="sf-voice"
            )
            island("sf-voice-note")
            island("sf-prompt", where="clone")
        with gr.Column(scale=7, min_width=320):
            with gr.Column(elem_classes="sf-card"):
                island("sf-step", number="2", text="step_text")
                purpose, text = _purpose_and_text(t)
                model, shaping = _shaping(t)
                start = gr.Button(t("start_speaking"), variant="primary", elem_id="sf-start-speaking")
            island("sf-speech")
    fitted = {name: shaping[name] for name in ("instruct", "similarity")}
    chosen = {"voice": voice, "purpose": purpose}
    screen.when_shown("synthesizers", {"model": model}, {"model": model, **fitted})
    screen.when_shown("voiceChoices", chosen, {"voice": voice})
    screen.when_shown("textDraft", {"text": text}, {"text": text})
    purpose.input(**script("voiceChoices", chosen, {"voice": voice}))
    voice.change(**script("voiceChosen", chosen))
    text.change(**script("textChanged", {"text": text}))
    model.input(**script("synthesizerChosen", {"model": model}, fitted))
    start.click(**script("speak", {**chosen, "text": text, **shaping}))


def _purpose_and_text(t: gr.I18n) -> tuple[gr.Radio, gr.Textbox]:
    choices = [(t("purpose_read"), "read"), (t("purpose_convert"), "convert")]
    purpose = gr.Radio(choices, value="read", show_label=False, container=False, elem_classes="sf-purpose")
    with gr.Column(elem_id="sf-read"):
        text = gr.Textbox(label=t("text_to_speak"), lines=6, placeholder=t("text_example"), elem_id="sf-text")
        island("sf-text-help")
    island("sf-source")
    return purpose, text


def _shaping(t: gr.I18n) -> tuple[gr.Dropdown, dict[str, Component]]:
    """The model, and the controls of how it is said by name, the model among them."""
    instruct = gr.Dropdown(
        [], value="", label=t("instruct"), info=t("instruct_info"), allow_custom_value=True, elem_id="sf-instruct"
    )
    with gr.Row(elem_classes="sf-pair-row"):
        model = gr.Dropdown([(t("auto_model"), "auto")], value="auto", label=t("model"), min_width=150)
        named = [(name.upper(), name) for name in FORMATS]
        file_format = gr.Dropdown(named, value="wav", label=t("format"), min_width=120)
    with gr.Accordion(t("more_shaping"), open=False):
        similarity = gr.Slider(0, 1, value=0.55, step=0.05, label=t("similarity"), info=t("similarity_info"))
        speed = gr.Slider(0.5, 2, value=1, step=0.05, label=t("speed"), elem_id="sf-speed")
        seed = gr.Number(value=0, minimum=0, precision=0, label=t("seed"), info=t("seed_info"), min_width=120)
    return model, {
        "model": model,
        "instruct": instruct,
        "similarity": similarity,
        "speed": speed,
        "seed": seed,
        "format": file_format,
    }
