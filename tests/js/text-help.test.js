import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser.js";
import "../../webui/pages/static/text-help.js";

function help(text) {
  document.body.innerHTML = '<div id="sf-text"><textarea></textarea></div>';
  const area = document.querySelector("textarea");
  area.value = text;
  const island = document.createElement("sf-text-help");
  document.body.append(island);
  return { area, island, counted: () => island.querySelector(".sf-counter").textContent };
}

test("the text is counted in characters, as the reader counts them", () => {
  assert.match(help("你好，😀").counted(), /\b4\b/);
  assert.match(help("").counted(), /\b0\b/);
});

test("a later count replaces the first", () => {
  const { island, counted } = help("一二三");
  /** @type {any} */ (island).count("一二三四五");
  assert.match(counted(), /\b5\b/);
});

test("a mark goes where the cursor stands, in place of what is selected, and is heard of", () => {
  const { area, island } = help("我爱好书");
  const heard = [];
  area.addEventListener("input", () => heard.push(area.value));
  const mark = island.querySelector(".sf-mark-button");
  area.setSelectionRange(2, 3);
  mark.click();
  assert.deepEqual(heard, [`我爱${mark.textContent}书`]);
  assert.equal(area.selectionStart, 2 + mark.textContent.length);
});
