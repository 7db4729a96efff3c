// The start of the islands, and `window.shengfang`: what Gradio's controls call in the browser. An island that only its
// own tab has is not imported here: the page asks for the script of each tab by its name.
import "./header.js";
import "./job-panel.js";
import "./recording.js";
import "./text-help.js";
import { put } from "./api.js";
import { announce, announceError } from "./dom.js";
import { ignoreStrayDrops } from "./drop-zone.js";
import { beginning } from "./format.js";
import { call } from "./gradio.js";
import { t } from "./i18n.js";
import { keep, recalled } from "./session-storage.js";
import * as models from "./models.js";
import { startNavigation } from "./navigation.js";
import * as wordLists from "./word-lists.js";

const DOUBLE_CLICK_MS = 700;
const DRAFT = "draft";

let drafted = false; // before that an empty text is a page being drawn

const find = (selector) => document.querySelector(selector);

/**
 * `act` for a button, true where it began something: a double click is one wish, other values or another file (`chosen`
 * gives it) are another.
 */
function once(act, chosen = () => null) {
  let wish = null;
  return async (controls) => {
    const wished = { values: JSON.stringify(controls), file: chosen() };
    if (wish?.values === wished.values && (!wished.file || wished.file === wish.file)) return;
    wish = wished;
    try {
      if (await act(controls)) await new Promise((done) => setTimeout(done, DOUBLE_CLICK_MS));
    } finally {
      if (wish === wished) wish = null;
    }
  };
}

/** Read the text with the chosen voice. */
async function read(controls) {
  const params = models.speechParams(controls);
  if (!params.text.trim()) {
    announce(t("text_needed"), "error");
    find("#sf-text textarea").focus();
    return false;
  }
  const prompt = params.voice ? {} : await find('sf-prompt[where="clone"]').take();
  if (!prompt) return false;
  const { file, consent, transcript } = prompt;
  find("sf-speech").send(
    { kind: "speak", params: { ...params, ...(transcript ? { transcript } : {}) }, consent, file },
    beginning(params.text),
  );
  return true;
}

/** Give a recording the chosen voice. */
function convert(controls) {
  const params = models.conversionParams(controls);
  const source = find("sf-source");
  const file = source.take();
  if (!file) return false;
  if (!params.voice) {
    announce(t("convert_needs_voice"), "error");
    find("#sf-voice input").focus();
    return false;
  }
  find("sf-speech").send({ kind: "convert", params, file }, file.name);
  return true;
}

const events = {
  ...models,
  ...wordLists,

  opened() {
    startNavigation();
    ignoreStrayDrops();
  },

  transcribe: once(
    (controls) => {
      const recording = find("sf-recording");
      const file = recording.take();
      if (!file) return false;
      const params = models.recognitionParams(controls);
      if (params.language === "auto" && recording.sampleLanguage) params.language = recording.sampleLanguage;
      find("sf-transcribe").send({ kind: "transcribe", params, file }, file.name);
      recording.choose(null);
      return true;
    },
    () => find("sf-recording").file,
  ),

  transcribeAll: once((controls) => {
    find("sf-batch").start(models.recognitionParams(controls));
    return true;
  }),

  /** The text that was being written before the page was loaded again. */
  textDraft({ text }) {
    drafted = true;
    return { text: { value: text || (recalled(DRAFT) ?? "") } };
  },

  textChanged({ text }) {
    if (text || drafted) keep(DRAFT, text);
    find("sf-text-help")?.count(text);
  },

  speak: once(
    ({ purpose, ...controls }) => {
      const asked = { ...controls, voice: models.voiceAsked(controls.voice) };
      return purpose === "convert" ? convert(asked) : read(asked);
    },
    () => find("sf-source").file,
  ),

  async saveSettings({ device, recognizer, synthesizer }) {
    try {
      const named = (model) => (model === "auto" ? null : model);
      await put("/settings", {
        device,
        default_recognizer: named(recognizer),
        default_synthesizer: named(synthesizer),
      });
      announce(t("saved"));
    } catch (error) {
      announceError(error);
    }
  },
};

window.shengfang.begin({ call: (name, keys, values) => call(events[name], keys, values) });
