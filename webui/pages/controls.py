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


def script(function: str) -> str:
    """The JavaScript of an event that runs in the browser only: `window.shengfang.<function>`."""
    return f"(...values) => window.shengfang.ready.then((shengfang) => shengfang.{function}(...values))"


def quiet(inputs: Sequence[Component] = (), outputs: Sequence[Component] = ()) -> dict[str, Any]:
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

    def when_shown(self, function: str, inputs: Sequence[Component], outputs: Sequence[Component]) -> None:
        """Call the script's `function` when the page opens and whenever the tab is chosen."""
        gr.on([self.page.load, self.tab.select], js=script(function), **quiet(inputs, outputs))


@dataclass(frozen=True)
class RecognitionControls:
    """The controls that say how a recording is transcribed, in the order in which the script takes them."""

    model: gr.Dropdown
    language: gr.Dropdown
    hotwords: gr.Textbox
    saved: gr.Dropdown
    itn: gr.Checkbox
    channels: gr.Radio
    diarize: gr.Checkbox

    def all(self) -> list[Component]:
        return [self.model, self.language, self.hotwords, self.itn, self.channels, self.diarize]


def recognition(screen: Screen) -> RecognitionControls:
    """What is asked of a transcription; the models arrive from `/api/v1/models` when the tab is shown."""
    t = screen.t
    controls = RecognitionControls(
        model=gr.Dropdown([(t("auto_model"), "auto")], value="auto", label=t("model")),
        language=gr.Dropdown([(t(f"language_{code}"), code) for code in LANGUAGES], value="auto", label=t("language")),
        hotwords=gr.Textbox(label=t("hotwords"), info=t("hotwords_info"), placeholder=t("hotwords_example"), lines=3),
        saved=gr.Dropdown([], label=t("word_lists"), info=t("word_lists_info"), allow_custom_value=True),
        itn=gr.Checkbox(label=t("itn"), info=t("itn_info"), value=True),
        channels=gr.Radio(
            [(t("channels_mix"), "mix"), (t("channels_split"), "split")],
            value="mix",
            label=t("channels"),
            info=t("channels_info"),
        ),
        diarize=gr.Checkbox(label=t("diarize"), info=t("diarize_info"), value=False),
    )
    fitted: list[Component] = [controls.language, controls.hotwords, controls.itn, controls.diarize]
    screen.when_shown("recognizers", [controls.model], [controls.model, *fitted])
    _save_hotwords(screen, controls)
    controls.model.input(js=script("recognizerChosen"), **quiet([controls.model], fitted))
    return controls


def _save_hotwords(screen: Screen, controls: RecognitionControls) -> None:
    """The menu of saved lists: choosing fills the hotwords, the button keeps them under the name in the menu."""
    save = gr.Button(screen.t("word_list_save"), size="sm")
    screen.when_shown("wordLists", [controls.saved], [controls.saved])
    controls.saved.select(
        js=script("wordListChosen"), **quiet([controls.saved, controls.hotwords], [controls.hotwords])
    )
    save.click(js=script("saveWordList"), **quiet([controls.saved, controls.hotwords], [controls.saved]))
