// What the models of this server can do, and how the controls follow from it.
import { get } from "./api.js";
import { languageName } from "./format.js";
import { t } from "./i18n.js";
import { modelName } from "./job-status.js";
import { forget, keep, recalled } from "./session-storage.js";

const RECOGNITION = "recognition";
const COMMON_LANGUAGES = ["zh", "yue", "en", "ja", "ko"];

/** @type {Model[]} */
let models = [];
let loading = null;
const seen = new Map(); // tab → the values its controls last had, as JSON

/** Ask the server once for all who ask at the same time: every tab does when the page opens. */
function load() {
  loading ??= get("/models")
    .then((answer) => {
      models = answer.models;
    })
    .catch(() => {}) // the controls stay as they are; the header says that the connection is lost
    .finally(() => {
      loading = null;
    });
  return loading;
}

const ofKind = (kind) => models.filter((model) => model.kind === kind);
const usable = (kind) => ofKind(kind).filter((model) => !model.problem && !model.capabilities.self_test);
const chosen = (kind, name) => ofKind(kind).find((model) => (name === "auto" ? model.default : model.name === name));

function choices(kind) {
  const standard = chosen(kind, "auto");
  const auto = standard ? t("auto_model_is", { model: modelName(standard.name) }) : t("auto_model");
  return [[auto, "auto"], ...usable(kind).map((model) => [modelName(model.name), model.name])];
}

/** The name that stays chosen: the present one while it is still there. */
const kept = (kind, name) => (usable(kind).some((model) => model.name === name) ? name : "auto");

/**
 * Whether the model has `feature`; the reason, worded, where it lacks it.
 * @param {Model | undefined} model @param {keyof Model["capabilities"]} feature
 */
function lack(model, feature) {
  if (!model) return "";
  const reason = model.capabilities.unavailable?.[feature];
  if (reason) return [reason.message, reason.hint].filter(Boolean).join(" ");
  return model.capabilities[feature] === false && feature !== "itn" ? t("model_lacks") : "";
}

/** @type {(model: Model | undefined, feature: keyof Model["capabilities"], info: string) => object} */
const gated = (model, feature, info) => {
  const reason = lack(model, feature);
  return { interactive: !reason, info: reason || info };
};

/**
 * The languages that the model can be told, after its own choice. The common ones where it names none, and beside those
 * of the basic engine: whoever asks it for another is told which model is needed.
 * @param {Model | undefined} model
 */
function languageChoices(model) {
  const own = model?.capabilities.languages ?? [];
  const codes = own.length && !model.capabilities.basic ? own : new Set([...own, ...COMMON_LANGUAGES]);
  return [[t("language_auto"), "auto"], ...[...codes].map((code) => [languageName(code), code])];
}

/** The controls of a transcription as the model has them; `controls` are their values by key. */
function fitRecognizer(controls) {
  const model = chosen("recognizer", controls.model);
  const languages = languageChoices(model);
  noteLanguages(model);
  return {
    model: { choices: choices("recognizer"), value: controls.model },
    language: {
      choices: languages,
      value: languages.some(([, code]) => code === controls.language) ? controls.language : "auto",
    },
    hotwords: { ...gated(model, "hotwords", t("hotwords_info")), value: controls.hotwords },
    itn: { ...gated(model, "itn", t("itn_info")), value: controls.itn },
    channels: { value: controls.channels },
    diarize: { ...gated(model, "speakers", t("diarize_info")), value: controls.diarize },
  };
}

/**
 * Say beside the menu which languages a model knows that knows few.
 * @param {Model | undefined} model
 */
function noteLanguages(model) {
  const languages = model?.capabilities.languages ?? [];
  const limited = languages.length && languages.length < 4;
  const named = { languages: languages.map(languageName).join(t("comma")) };
  const note = !limited ? "" : model.capabilities.basic ? t("language_basic", named) : t("language_limited", named);
  for (const element of document.querySelectorAll("sf-language-note")) element.textContent = note;
}

function fitSynthesizer(name) {
  const model = chosen("synthesizer", name);
  const menu = (model?.capabilities.instructions ?? []).map(([label]) => [label, label]);
  return {
    instruct: { ...gated(model, "instruct", t("instruct_info")), choices: menu },
    similarity: gated(model, "similarity", t("similarity_info")),
  };
}

/** The controls of a transcription, as the reader last left them in this window. */
export async function recognizers({ tab, ...current }) {
  await load();
  const remembered = { ...current, ...recalled(RECOGNITION) };
  const values = { ...remembered, model: kept("recognizer", remembered.model) };
  const changes = fitRecognizer(values);
  seen.set(tab, written({ ...values, language: changes.language.value }));
  return changes;
}

export const recognizerChosen = fitRecognizer;

/**
 * For Gradio's `change` event, since `input` does not hear what is pasted or composed; it also comes when a tab is
 * drawn.
 */
export function recognitionChanged({ tab, ...controls }) {
  const values = written(controls);
  if (seen.has(tab) ? seen.get(tab) !== values : controls.hotwords) keep(RECOGNITION, controls);
  seen.set(tab, values);
}

/** `controls` as text, whatever their order. */
const written = (controls) => JSON.stringify(Object.entries(controls).sort());

/** The models that speak, and the controls that depend on the chosen one. */
export async function synthesizers({ model }) {
  await load();
  const value = kept("synthesizer", model);
  return {
    model: { choices: choices("synthesizer"), value },
    ...fitSynthesizer(value),
  };
}

export const synthesizerChosen = ({ model }) => fitSynthesizer(model);

/** The voices one may speak with. */
export async function voiceChoices({ voice, purpose }) {
  const { voices } = await get("/voices").catch(() => ({ voices: [] }));
  const saved = voices.filter((voice) => voice.usable).map((voice) => [voice.name, voice.id]);
  const convert = purpose === "convert";
  const all = convert ? saved : [[t("voice_new"), ""], ...saved, [t("voice_builtin"), "builtin"]];
  const note = document.querySelector("sf-voice-note");
  if (note) note.textContent = convert && !saved.length ? t("convert_needs_voice") : "";
  const wanted = voiceAsked(voice);
  const value = all.some(([, value]) => value === wanted) ? wanted : convert ? (saved[0]?.[1] ?? null) : "";
  if (value !== wanted || value === voice) forget("voice"); // else when the control has it
  showVoice({ voice: value ?? "", purpose });
  return { voice: { choices: all, value } };
}

/** The voice that is to speak: on the way from another tab the control does not have it yet. */
export const voiceAsked = (voice) => recalled("voice") ?? voice;

/** The control has a voice, whoever chose it. */
export function voiceChosen(chosen) {
  forget("voice");
  showVoice(chosen);
}

/** Show what the purpose and the voice ask for, and hide the rest. */
function showVoice({ voice, purpose }) {
  const convert = purpose === "convert";
  const hide = (selector, hidden) => document.querySelector(selector)?.toggleAttribute("hidden", hidden);
  hide('sf-prompt[where="clone"]', voice !== "" || convert);
  for (const selector of ["#sf-read", "#sf-instruct", "#sf-speed"]) hide(selector, convert);
  hide("sf-source", !convert);
}

/** The job parameters that the recognition controls stand for; what the model cannot do is left out. */
export function recognitionParams({ model, language, hotwords, itn, channels, diarize }) {
  const present = chosen("recognizer", model);
  const words = (hotwords ?? "").split("\n").map((word) => word.trim());
  return {
    model,
    language,
    hotwords: lack(present, "hotwords") ? [] : words.filter(Boolean),
    itn: itn && !lack(present, "itn"),
    channels,
    diarize: diarize && !lack(present, "speakers"),
  };
}

export function conversionParams({ voice, model, similarity, seed, format }) {
  const alike = lack(chosen("synthesizer", model), "similarity") ? {} : { similarity };
  return { model, voice, seed: seed ?? 0, format, ...alike };
}

export function speechParams({ voice, model, text, instruct, similarity, speed, seed, format }) {
  const present = chosen("synthesizer", model);
  const said = lack(present, "instruct") ? "" : (instruct ?? "").trim();
  const alike = lack(present, "similarity") ? {} : { similarity };
  return { model, text, instruct: said, speed, seed: seed ?? 0, format, ...alike, ...(voice ? { voice } : {}) };
}

/** Device and default models as the server has them. */
export async function systemChoices() {
  const [settings, devices] = await Promise.all([get("/settings"), get("/devices"), load()]);
  const device = devices.filter((one) => one.usable).map((one) => [`${one.name} (${one.id})`, one.id]);
  const automatic = [t("automatic"), "auto"];
  const named = (kind) => [automatic, ...usable(kind).map((model) => [modelName(model.name), model.name])];
  return {
    device: { choices: [automatic, ...device], value: settings.device ?? "auto" },
    recognizer: { choices: named("recognizer"), value: settings.default_recognizer ?? "auto" },
    synthesizer: { choices: named("synthesizer"), value: settings.default_synthesizer ?? "auto" },
  };
}
