"""Pieces the tabs share: islands, events that call the islands' script, and the choices of recognition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.pages.gradio_internals import number

Controls = Mapping[str, Component]
NONE: Controls = MappingProxyType({})


def island(tag: str, **attributes: str) -> gr.HTML:
    """A custom element of `static/`, which draws itself; attributes must be our own constants."""
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return gr.HTML(f"<{tag}{written}></{tag}>", apply_default_css=False, js_on_load=None, elem_classes="sf-island")


def script(function: str, inputs: Controls = NONE, outputs: Controls = NONE, **given: str) -> dict[str, Any]:
    """The arguments of an event that calls the islands' `function`: no Python, nothing on the server or published.

    The function gets one object, the values of `inputs` by their keys and our constants `given`, and returns one: the
    properties to change by the keys of `outputs`. Gradio's events know places only; `static/gradio.js` turns them into
    keys by the lists written here.
    """
    numbers = {key: number(control) for key, control in {**inputs, **outputs}.items()}
    keys = json.dumps({"inputs": list(inputs), "outputs": list(outputs), "given": given, "numbers": numbers})
    call = f'shengfang.call("{function}", {keys}, values)'
    return {
        "fn": None,
        "js": f"(...values) => window.shengfang.ready.then((shengfang) => {call})",
        "inputs": list(inputs.values()),
        "outputs": list(outputs.values()),
        "queue": False,
        "show_progress": "hidden",
        "api_visibility": "private",
    }


@dataclass(frozen=True)
class Screen:
    """What a tab's builder works with: the texts, the page, and the tab it fills."""

    t: gr.I18n
    page: gr.Blocks
    tab: gr.Tab

    def when_shown(self, function: str, inputs: Controls, outputs: Controls, **given: str) -> None:
        """Call the islands' `function` when the page opens and whenever the tab is chosen."""
        gr.on([self.page.load, self.tab.select], **script(function, inputs, outputs, **given))


@dataclass(frozen=True)
class RecognitionControls:
    """The controls that say how a recording is transcribed; the islands know them by these names."""

    model: gr.Dropdown
    language: gr.Dropdown
    hotwords: gr.Textbox
    itn: gr.Checkbox
    channels: gr.Radio
    diarize: gr.Checkbox

    def by_name(self) -> dict[str, Component]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def recognition(screen: Screen) -> RecognitionControls:
    """What is asked of a transcription. Both tabs that have these controls show the reader's last choices;
    the models and their languages arrive from `/api/v1/models` when the tab is shown.
    """
    t = screen.t
    with gr.Row(elem_classes="sf-pair-row"):
        model = gr.Dropdown([(t("auto_model"), "auto")], value="auto", label=t("model"), min_width=150)
        language = gr.Dropdown([(t("language_auto"), "auto")], value="auto", label=t("language"), min_width=150)
    island("sf-language-note")
    hotwords = gr.Textbox(label=t("hotwords"), info=t("hotwords_info"), placeholder=t("hotwords_example"), lines=2)
    lists = _word_lists(t)
    with gr.Accordion(t("more_options"), open=False):
        itn = gr.Checkbox(label=t("itn"), info=t("itn_info"), value=True)
        channels = gr.Radio(
            [(t("channels_mix"), "mix"), (t("channels_split"), "split")],
            value="mix",
            label=t("channels"),
            info=t("channels_info"),
        )
        diarize = gr.Checkbox(label=t("diarize"), info=t("diarize_info"), value=False)
    controls = RecognitionControls(model, language, hotwords, itn, channels, diarize)
    named, tab = controls.by_name(), str(screen.tab.id)
    screen.when_shown("recognizers", named, named, tab=tab)
    model.input(**script("recognizerChosen", named, named))
    changes = [model.change, language.change, hotwords.change, itn.change, channels.change, diarize.change]
    gr.on(changes, **script("recognitionChanged", named, tab=tab))
    _keep_word_lists(screen, controls, *lists)
    return controls


def _word_lists(t: gr.I18n) -> tuple[gr.Dropdown, gr.Button, gr.Button]:
    with gr.Row(elem_classes="sf-pair-row"):
        saved = gr.Dropdown(
            [], label=t("word_lists"), info=t("word_lists_info"), allow_custom_value=True, min_width=150, scale=4
        )
        save = gr.Button(t("word_list_save"), size="sm", min_width=64, scale=1)
        discard = gr.Button(t("word_list_delete"), size="sm", min_width=64, scale=1)
    return saved, save, discard


def _keep_word_lists(
    screen: Screen, controls: RecognitionControls, saved: gr.Dropdown, save: gr.Button, discard: gr.Button
) -> None:
    """The menu of saved lists: choosing fills the hotwords; the buttons keep or remove them under the menu's name."""
    menu, words = {"list": saved}, {"hotwords": controls.hotwords}
    screen.when_shown("wordLists", menu, menu)
    saved.select(**script("wordListChosen", {**menu, **controls.by_name()}, words, tab=str(screen.tab.id)))
    save.click(**script("saveWordList", {**menu, **words}, menu))
    discard.click(**script("deleteWordList", menu, menu))
