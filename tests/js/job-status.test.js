import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser.js";
import { isFinished, isOpen, isRetryable } from "../../webui/pages/static/job-states.js";
import { jobTitle, waitingText } from "../../webui/pages/static/job-status.js";

const job = (given) => ({
  state: "running",
  kind: "speak",
  progress: 0.5,
  file_name: "",
  params: {},
  eta_s: null,
  ...given,
});

test("every state of a job is open or ended, and only what lacks something can be queued again", () => {
  const states = ["queued", "running", "cancelling", "done", "partial", "failed", "cancelled"].map((state) => ({
    state,
  }));
  assert.deepEqual(states.map(isOpen), [true, true, true, false, false, false, false]);
  assert.deepEqual(states.map(isFinished), [false, false, false, true, true, false, false]);
  assert.deepEqual(states.map(isRetryable), [false, false, false, false, true, true, true]);
});

test("what lost its voice is not offered again, what failed of something else is", () => {
  const failed = (code) => ({ state: "failed", error: { code } });
  const codes = ["CONSENT_EXPIRED", "VOICE_NOT_FOUND", "NO_MEMORY"];
  assert.deepEqual(
    codes.map((code) => isRetryable(failed(code))),
    [false, false, true],
  );
});

test("a job is called by its file, else by its text, else by its kind", () => {
  assert.equal(jobTitle(job({ file_name: "a.wav", params: { text: "b" } })), "a.wav");
  assert.equal(jobTitle(job({ params: { text: "b" } })), "b");
  assert.notEqual(jobTitle(job({})), "");
});

test("a queued job says how many are before it, a running one how far it is", () => {
  assert.match(waitingText(job({ state: "queued", progress: 0, queue_position: 3 })), /2/);
  assert.equal(waitingText(job({})), "50 %");
  assert.match(waitingText(job({ eta_s: 120 })), /50 %.*2/);
});
