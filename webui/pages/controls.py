"""Pieces the tabs share: islands, events that call the islands' script, and the choices of recognition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

LANGUAGES = ("auto", "zh", "yue", "en", "ja", "ko")


def island(tag: str, **attributes: str) -> gr.HTML:
    """A custom element of `static/`, which draws itself; attributes must be our own constants."""
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return gr.HTML(f"<{tag}{written}></{tag}>", apply_default_css=False, js_on_load=None, elem_classes="sf-island")


def script(function: str, *given: str) -> str:
    """The JavaScript of an event that runs in the browser only: `window.shengfang.<function>`.

    It gets our constants `given` before the values of the controls.
    """
    arguments = "".join(f'"{value}", ' for value in given)
    return f"(...values) => window.shengfang.ready.then((shengfang) => shengfang.{function}({arguments}...values))"


def browser_only(inputs: Sequence[Component] = (), outputs: Sequence[Component] = ()) -> dict[str, Any]:
    """The arguments of every event: no Python function, nothing on the server, nothing published."""
    return {
        "fn": None,
        "inputs": list(inputs),
        "outputs": list(outputs),
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

    def when_shown(self, function: str, inputs: Sequence[Component], outputs: Sequence[Component], *given: str) -> None:
        """Call the script's `function` when the page opens and whenever the tab is chosen."""
        gr.on([self.page.load, self.tab.select], js=script(function, *given), **browser_only(inputs, outputs))


@dataclass(frozen=True)
class RecognitionControls:
    """The controls that say how a recording is transcribed, in the order in which the script takes them."""

    model: gr.Dropdown
    language: gr.Dropdown
    hotwords: gr.Textbox
    itn: gr.Checkbox
    channels: gr.Radio
    diarize: gr.Checkbox

    def all(self) -> list[Component]:
        return [self.model, self.language, self.hotwords, self.itn, self.channels, self.diarize]


def recognition(screen: Screen) -> RecognitionControls:
    """What is asked of a transcription. Both tabs that have these controls show the reader's last choices;
    the models arrive from `/api/v1/models` when the tab is shown.
    """
    t = screen.t
    with gr.Row(elem_classes="sf-pair-row"):
        model = gr.Dropdown([(t("auto_model"), "auto")], value="auto", label=t("model"), min_width=150)
        languages = [(t(f"language_{code}"), code) for code in LANGUAGES]
        language = gr.Dropdown(languages, value="auto", label=t("language"), min_width=150)
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
    tab = str(screen.tab.id)
    screen.when_shown("recognizers", controls.all(), controls.all(), tab)
    model.input(js=script("recognizerChosen"), **browser_only(controls.all(), controls.all()))
    changes = [model.change, language.change, hotwords.change, itn.change, channels.change, diarize.change]
    gr.on(changes, js=script("recognitionChanged", tab), **browser_only(controls.all()))
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
    screen.when_shown("wordLists", [saved], [saved])
    saved.select(
        js=script("wordListChosen", str(screen.tab.id)), **browser_only([saved, *controls.all()], [controls.hotwords])
    )
    save.click(js=script("saveWordList"), **browser_only([saved, controls.hotwords], [saved]))
    discard.click(js=script("deleteWordList"), **browser_only([saved], [saved]))
