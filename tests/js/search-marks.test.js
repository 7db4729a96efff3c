import assert from "node:assert/strict";
import { test } from "node:test";
import { searchPieces } from "../../webui/pages/static/search-marks.js";

const marked = (text, query) =>
  searchPieces(text, query, 30)
    .filter((piece) => piece.marked)
    .map((piece) => piece.text);

test("every part of the search is marked wherever it stands", () => {
  assert.deepEqual(marked("客户投诉退款，又投诉", "投诉 退款"), ["投诉", "退款", "投诉"]);
  assert.deepEqual(marked("电话13812345678", "5678"), ["5678"]);
  assert.deepEqual(marked("ISO 9001 and iso9001", "ISO9001"), ["ISO 9001", "iso9001"]);
});

test("what a user types is no pattern", () => {
  assert.deepEqual(marked("a.b (c) $5", "( [ .* $"), []);
  assert.deepEqual(marked("1+1=2", "1+1"), ["1+1"]);
});

test("all of the text is there, from shortly before a far match", () => {
  const text = "前".repeat(100) + "投诉" + "后".repeat(10);
  const pieces = searchPieces(text, "投诉", 30);
  assert.equal(pieces.map((piece) => piece.text).join(""), `…${text.slice(70)}`);
  assert.equal(searchPieces("没有", "投诉", 30)[0].text, "没有");
});
