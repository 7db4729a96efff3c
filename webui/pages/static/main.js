// The start of the islands, and `window.shengfang`: what Gradio's controls call in the browser.
import "./batch.js";
import "./header.js";
import "./history.js";
import "./job-panel.js";
import "./lexicon.js";
import "./recording.js";
import "./system.js";
import "./text-help.js";
import "./voices.js";
import { put } from "./api.js";
import { announce } from "./dom.js";
import { ignoreStrayDrops } from "./drop-zone.js";
import { t } from "./i18n.js";
import * as models from "./models.js";
import { startNavigation } from "./navigation.js";
import * as wordLists from "./word-lists.js";

const find = (selector) => document.querySelector(selector);

const events = {
  ...models,
  ...wordLists,

  opened() {
    startNavigation();
    ignoreStrayDrops();
  },

  transcribe(...controls) {
    const recording = find("sf-recording");
    const file = recording.take();
    if (!file) return;
    const params = models.recognitionParams(controls);
    if (params.language === "auto" && recording.sampleLanguage) params.language = recording.sampleLanguage;
    find("sf-transcribe").send({ kind: "transcribe", params, file }, file.name);
    recording.choose(null);
  },

  transcribeAll(...controls) {
    find("sf-batch").start(models.recognitionParams(controls));
  },

  voiceChosen(voice) {
    find('sf-prompt[where="clone"]').hidden = voice !== "";
  },

  async speak(...controls) {
    const params = models.speechParams(controls);
    if (!params.text.trim()) {
      announce(t("text_needed"), "error");
      find("#sf-text textarea").focus();
      return;
    }
    const prompt = params.voice ? {} : await find('sf-prompt[where="clone"]').take();
    if (!prompt) return;
    const { file, consent, transcript } = prompt;
    find("sf-speech").send({ kind: "speak", params: { ...params, ...(transcript ? { transcript } : {}) }, consent, file }, t("kind_speak"));
  },

  async saveSettings(device, recognizer, synthesizer) {
    try {
      const named = (model) => (model === "auto" ? null : model);
      await put("/settings", { device, default_recognizer: named(recognizer), default_synthesizer: named(synthesizer) });
      announce(t("saved"));
    } catch (error) {
      announce([error.message || t("connection_failed"), error.hint].filter(Boolean).join(" "), "error");
    }
  },
};

window.shengfang.begin(events);
