import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser.js";
import { beginning, bytes, clock, languageName, percent, plainName } from "../../webui/pages/static/format.js";

test("times have hours from an hour on", () => {
  assert.equal(clock(75.4), "1:15");
  assert.equal(clock(3723), "1:02:03");
  assert.equal(clock(-1), "0:00");
});

test("sizes have the unit that keeps them short", () => {
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(2000), "2 kB");
  assert.equal(bytes(1.5e6), "1.5 MB");
  assert.equal(bytes(936_291_369), "936 MB");
  assert.equal(bytes(4 * 1024 ** 3), "4.3 GB");
});

test("a job that is not done never shows 100 %", () => {
  assert.equal(percent(0.999), "99 %");
});

test("a long text is called by its first line, cut", () => {
  assert.equal(beginning("one\ntwo"), "one");
  assert.equal(beginning("x".repeat(41)), `${"x".repeat(40)}…`);
});

test("a name that disguises itself shows where", () => {
  assert.equal(plainName("gpj\u202egnp.exe\u0000"), "gpj\ufffdgnp.exe\ufffd");
});

test("a language that nobody named is its code", () => {
  assert.equal(languageName("is"), "Icelandic");
  assert.equal(languageName("not a code"), "not a code");
});
