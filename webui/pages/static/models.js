// What the models of this server can do, and how the controls follow from it.
import { get } from "./api.js";
import { languageName } from "./format.js";
import { t } from "./i18n.js";
import { modelName } from "./job-status.js";
import { forget, keep, recalled } from "./session-storage.js";

const RECOGNITION = "recognition";
export const HOTWORDS = 2; // their place among the controls of a transcription

const update = (properties) => ({ __type__: "update", ...properties });

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

/** Whether the model has `feature`; the reason, worded, where it lacks it. */
function lack(model, feature) {
  if (!model) return "";
  const reason = model.capabilities.unavailable?.[feature];
  if (reason) return [reason.message, reason.hint].filter(Boolean).join(" ");
  return model.capabilities[feature] === false && feature !== "itn" ? t("model_lacks") : "";
}

const gated = (model, feature, info) => {
  const reason = lack(model, feature);
  return update({ interactive: !reason, info: reason || info });
};

/** The controls [model, language, hotwords, itn, channels, diarize] as the model `name` has them. */
function fitRecognizer([name, language, hotwords, itn, channels, diarize]) {
  const model = chosen("recognizer", name);
  const languages = model?.capabilities.languages ?? [];
  const limited = languages.length && languages.length < 4;
  const named = { languages: languages.map(languageName).join(t("comma")) };
  const note = !limited ? "" : model.capabilities.basic ? t("language_basic", named) : t("language_limited", named);
  for (const element of document.querySelectorAll("sf-language-note")) element.textContent = note;
  return [
    update({ choices: choices("recognizer"), value: name }),
    update({ value: language }),
    { ...gated(model, "hotwords", t("hotwords_info")), value: hotwords },
    { ...gated(model, "itn", t("itn_info")), value: itn },
    update({ value: channels }),
    { ...gated(model, "speakers", t("diarize_info")), value: diarize },
  ];
}

function fitSynthesizer(name) {
  const model = chosen("synthesizer", name);
  const menu = (model?.capabilities.instructions ?? []).map(([label]) => [label, label]);
  const instruct = { ...gated(model, "instruct", t("instruct_info")), choices: menu };
  return [instruct, gated(model, "similarity", t("similarity_info"))];
}

/** For Gradio: the controls of a transcription, as the reader last left them in this window. */
export async function recognizers(tab, ...current) {
  await load();
  const [name, ...rest] = recalled(RECOGNITION) ?? current;
  const values = [kept("recognizer", name), ...rest];
  seen.set(tab, JSON.stringify(values));
  return fitRecognizer(values);
}

export const recognizerChosen = (...controls) => fitRecognizer(controls);

/** For Gradio's `change` event, since `input` does not hear what is pasted or composed; it also comes when a tab is drawn. */
export function recognitionChanged(tab, ...controls) {
  const values = JSON.stringify(controls);
  if (seen.has(tab) ? seen.get(tab) !== values : controls[HOTWORDS]) keep(RECOGNITION, controls);
  seen.set(tab, values);
}


/** For Gradio: the models that speak, and the controls that depend on the chosen one. */
export async function synthesizers(current) {
  await load();
  const value = kept("synthesizer", current);
  return [update({ choices: choices("synthesizer"), value }), ...fitSynthesizer(value)];
}

export const synthesizerChosen = fitSynthesizer;

/** For Gradio: the voices one may speak with. */
export async function voiceChoices(current, purpose) {
  const { voices } = await get("/voices").catch(() => ({ voices: [] }));
  const saved = voices.filter((voice) => voice.usable).map((voice) => [voice.name, voice.id]);
  const convert = purpose === "convert";
  const all = convert ? saved : [[t("voice_new"), ""], ...saved, [t("voice_builtin"), "builtin"]];
  const note = document.querySelector("sf-voice-note");
  if (note) note.textContent = convert && !saved.length ? t("convert_needs_voice") : "";
  const wanted = recalled("voice") ?? current;
  forget("voice");
  const value = all.some(([, value]) => value === wanted) ? wanted : convert ? (saved[0]?.[1] ?? null) : "";
  window.shengfang.ready.then(({ voiceChosen }) => voiceChosen(value ?? "", purpose));
  return update({ choices: all, value });
}

/** The job parameters that the recognition controls stand for; what the model cannot do is left out. */
export function recognitionParams([model, language, hotwords, itn, channels, diarize]) {
  const present = chosen("recognizer", model);
  const words = lack(present, "hotwords") ? [] : (hotwords ?? "").split("\n").map((word) => word.trim()).filter(Boolean);
  return { model, language, hotwords: words, itn: itn && !lack(present, "itn"), channels, diarize: diarize && !lack(present, "speakers") };
}

export function conversionParams([voice, model, , , similarity, , seed, format]) {
  return { model, voice, seed: seed ?? 0, format, ...(lack(chosen("synthesizer", model), "similarity") ? {} : { similarity }) };
}

export function speechParams([voice, model, text, instruct, similarity, speed, seed, format]) {
  const present = chosen("synthesizer", model);
  const said = lack(present, "instruct") ? "" : (instruct ?? "").trim();
  const alike = lack(present, "similarity") ? {} : { similarity };
  return { model, text, instruct: said, speed, seed: seed ?? 0, format, ...alike, ...(voice ? { voice } : {}) };
}

/** For Gradio: device and default models as the server has them. */
export async function systemChoices() {
  const [settings, devices] = await Promise.all([get("/settings"), get("/devices"), load()]);
  const device = devices.filter((one) => one.usable).map((one) => [`${one.name} (${one.id})`, one.id]);
  const named = (kind) => [[t("automatic"), "auto"], ...usable(kind).map((model) => [modelName(model.name), model.name])];
  return [
    update({ choices: [[t("automatic"), "auto"], ...device], value: settings.device ?? "auto" }),
    update({ choices: named("recognizer"), value: settings.default_recognizer ?? "auto" }),
    update({ choices: named("synthesizer"), value: settings.default_synthesizer ?? "auto" }),
  ];
}
