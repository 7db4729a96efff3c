import assert from "node:assert/strict";
import { test } from "node:test";
import { answers } from "./browser.js";
import { JobFeed } from "../../webui/pages/static/job-feed.js";
import { Transcript } from "../../webui/pages/static/transcript.js";

const segment = (n, start, text) => ({
  n,
  start,
  end: start + 1,
  text,
  state: "done",
  change: n,
  channel: 0,
  hits: [],
});

test("a feed keeps the newest of each segment and asks only for what changed after it", async () => {
  const leaving = new AbortController();
  answers.set("/changes", { since: 1, jobs: [], deleted: [] });
  answers.set("/jobs/a/segments?after=0", { segments: [segment(0, 0, "old"), segment(1, 1, "b")] });
  answers.set("/jobs/a/segments?after=1", { segments: [{ ...segment(0, 0, "new"), change: 2 }] });
  answers.set("/jobs/a/segments?after=2", { segments: [] });
  answers.set("/jobs/a", { id: "a", state: "done" });
  const seen = [];
  const feed = new JobFeed("a", {
    signal: leaving.signal,
    onChange: (_feed, changed) => seen.push(changed),
    onError: assert.fail,
  });
  await feed.refresh();
  await feed.refresh();
  leaving.abort();
  assert.deepEqual(
    [...feed.segments.values()].map(({ text }) => text),
    ["new", "b"],
  );
  assert.equal(feed.after, 2);
  assert.deepEqual(
    seen.slice(0, 2).map((changed) => changed.length),
    [2, 1],
  );
});

test("segments stand in the order of time however they come, each once", () => {
  const lines = new Transcript();
  document.body.append(lines);
  const job = { id: "a", kind: "speak" };
  lines.update(job, [segment(2, 5, "late"), segment(0, 0, "early")]);
  lines.update(job, [segment(1, 2, "middle"), segment(0, 0, "early again")]);
  const said = [...lines.querySelectorAll(".sf-said")].map((line) => line.textContent);
  assert.deepEqual(said, ["early again", "middle", "late"]);
});
