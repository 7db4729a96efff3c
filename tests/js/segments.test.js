import assert from "node:assert/strict";
import { test } from "node:test";
import { asHeard, inTime, isNumbered, merge, pieces, placeOf, soundingAt } from "../../webui/pages/static/segments.js";

const segment = (n, start, change = n) => /** @type {any} */ ({ n, start, end: start + 1, change });
const entries = (...segments) => segments.map((one) => ({ segment: one }));
const marked = (text, ...hits) =>
  pieces({ text, hits: hits.map(([start, end]) => ({ word: "", start, end, heard: null })) })
    .map(({ text, hit }) => (hit ? `<${text}>` : text))
    .join("|");

test("a segment that came again replaces the older one, and the newest change is asked after", () => {
  const known = new Map();
  assert.equal(merge(known, [segment(0, 0, 3), segment(1, 1, 7)], 0), 7);
  assert.equal(merge(known, [{ ...segment(0, 0, 8), text: "new" }], 7), 8);
  assert.deepEqual([...known.keys()], [0, 1]);
  assert.equal(known.get(0).text, "new");
});

test("nothing that changed leaves the number where it is, nor does an older change lower it", () => {
  assert.equal(merge(new Map(), [], 5), 5);
  assert.equal(merge(new Map(), [segment(0, 0, 2)], 5), 5);
});

test("the segments of a very long recording are merged at once", () => {
  const many = Array.from({ length: 200_000 }, (_, n) => segment(n, n));
  assert.equal(merge(new Map(), many, 0), 199_999);
});

test("segments of one time stand by their numbers", () => {
  const order = [segment(3, 1), segment(2, 1), segment(1, 5), segment(0, 0)].sort(inTime).map(({ n }) => n);
  assert.deepEqual(order, [0, 2, 3, 1]);
});

test("a further segment finds its place by time", () => {
  const known = entries(segment(0, 0), segment(2, 4), segment(3, 4));
  const place = (n, start) => placeOf(known, segment(n, start));
  assert.deepEqual(
    [place(9, 9), place(1, 2), place(9, 0), place(1, 4), place(4, 4), placeOf([], segment(0, 0))],
    [3, 1, 1, 1, 3, 0],
  );
});

test("a segment sounds from its start on and no longer at its end", () => {
  const known = entries(segment(0, 0), segment(1, 1), segment(2, 5));
  const at = (seconds) => soundingAt(known, seconds)?.segment.n;
  assert.deepEqual([at(0), at(0.99), at(1), at(3), at(5.5), at(6)], [0, 0, 1, undefined, 2, undefined]);
});

test("hotwords are marked where they stand, at the ends too", () => {
  assert.equal(marked("请找王宏。", [2, 4]), "请找|<王宏>|。");
  assert.equal(marked("王宏在", [0, 2]), "<王宏>|在");
  assert.equal(marked("找王宏", [1, 3]), "找|<王宏>");
  assert.equal(marked("王宏王宏", [0, 2], [2, 4]), "<王宏>|<王宏>");
  assert.equal(marked("没有"), "没有");
  assert.equal(marked(""), "");
});

test("places are counted in characters: one outside the basic plane is one", () => {
  assert.equal(marked("𠮷野家😀王宏", [4, 6]), "𠮷野家😀|<王宏>");
});

test("a speaker is numbered until somebody names them", () => {
  assert.deepEqual(["1", "12", "王宏", "2号", ""].map(isNumbered), [true, true, false, false, false]);
});

test("what was heard goes back in the place of the hotword, counted in characters", () => {
  assert.equal(asHeard("😀请周慧来", { start: 2, end: 4, heard: "周惠" }), "😀请周惠来");
});
