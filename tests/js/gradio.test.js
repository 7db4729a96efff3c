import assert from "node:assert/strict";
import { test } from "node:test";
import { answers } from "./browser.js";
import { call } from "../../webui/pages/static/gradio.js";
import { recognizers, speechParams } from "../../webui/pages/static/models.js";

const SPOKEN = {
  voice: "builtin",
  model: "auto",
  text: "hi",
  instruct: "",
  similarity: 0.5,
  speed: 1,
  seed: 7,
  format: "wav",
};

/** @returns {[Promise<object>, (value: object) => void]} */
function promised() {
  /** @type {(value: object) => void} */
  let keep = () => {};
  const promise = new Promise((done) => {
    keep = done;
  });
  return [promise, (value) => keep(value)];
}

const NUMBERS = Object.fromEntries([...Object.keys(SPOKEN), "first", "second", "other"].map((key, at) => [key, at]));

const asked = (act, controls, outputs = []) =>
  call(act, { inputs: Object.keys(controls), outputs, given: {}, numbers: NUMBERS }, Object.values(controls));

test("a control that is inserted, or another order of them, changes nothing of a job", async () => {
  const jobs = [];
  const note = (controls) => void jobs.push(speechParams(controls));
  const reversed = Object.fromEntries(Object.entries(SPOKEN).reverse());
  for (const controls of [SPOKEN, reversed, { inserted: "x", ...SPOKEN }]) await asked(note, controls);
  assert.equal(jobs[0].seed, 7);
  assert.equal(jobs[0].speed, 1);
  assert.deepEqual(jobs[1], jobs[0]);
  assert.deepEqual(jobs[2], jobs[0]);
});

test("an answer reaches the controls by their names, and what it leaves out stays as it is", async () => {
  const act = () => ({ second: { value: 2 }, first: { value: 1 } });
  const marked = (properties) => ({ __type__: "update", ...properties });
  assert.deepEqual(await asked(act, {}, ["first", "other", "second"]), [
    marked({ value: 1 }),
    marked({}),
    marked({ value: 2 }),
  ]);
  assert.deepEqual(await asked(act, {}, ["second"]), marked({ value: 2 }));
});

test("an answer takes nothing back that was changed while it was on its way", async () => {
  const [promise, resolve] = promised();
  const answer = asked(() => promise, { text: "", voice: "" }, ["text", "voice"]);
  asked(() => {}, { text: "typed" });
  resolve({ text: { value: "draft", info: "new" }, voice: { value: "builtin" } });
  const [text, voice] = await answer;
  assert.deepEqual(text, { __type__: "update", info: "new" });
  assert.equal(voice.value, "builtin");
});

test("a control of another tab is another control", async () => {
  const [promise, resolve] = promised();
  const answer = asked(() => promise, { text: "" }, ["text"]);
  call(() => {}, { inputs: ["text"], outputs: [], given: {}, numbers: { text: 99 } }, ["typed elsewhere"]);
  resolve({ text: { value: "draft" } });
  assert.equal((await answer).value, "draft");
});

test("the menu of languages is the chosen model's, named for the reader, a code without a name as itself", async () => {
  const capabilities = { languages: ["sw", "is", "qzz"], hotwords: true };
  answers.set("/models", {
    models: [{ name: "unusual", kind: "recognizer", default: true, problem: null, capabilities }],
  });
  const { language } = await recognizers({ tab: "transcribe", model: "auto", language: "zh" });
  assert.deepEqual(language.choices.slice(1), [
    ["Swahili", "sw"],
    ["Icelandic", "is"],
    ["qzz", "qzz"],
  ]);
  assert.equal(language.choices[0][1], "auto");
  assert.equal(language.value, "auto");
});
