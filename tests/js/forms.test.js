import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser.js";
import { address } from "../../webui/pages/static/api.js";
import { parsed } from "../../webui/pages/static/lexicon.js";

test("a line of the lexicon is a word and its reading, whatever stands around them", () => {
  assert.deepEqual(parsed("重庆 = chong2 qing4\n\n  ＡＢＣ＝a b c \n"), { 重庆: "chong2 qing4", ＡＢＣ: "a b c" });
});

test("only the first sign of equality parts word and reading, and a missing one leaves no reading", () => {
  assert.deepEqual(parsed("E = m = c\n行"), { E: "m = c", 行: "" });
});

test("an address names what was filled in, and nothing else", () => {
  assert.equal(address("/jobs"), "/api/v1/jobs");
  assert.equal(address("/jobs", { q: "", kind: null, state: undefined }), "/api/v1/jobs");
  assert.equal(address("/jobs", { q: "甲 & 乙", limit: 0 }), "/api/v1/jobs?q=%E7%94%B2+%26+%E4%B9%99&limit=0");
});
