// What the islands find in a browser, for `node --test`: a document, and the texts as the server gives them.
import { readFile } from "node:fs/promises";
import { JSDOM } from "jsdom";

const TEXTS = new URL("../../webui/pages/i18n/", import.meta.url);
const { window } = new JSDOM("<!doctype html><body></body>", { url: "http://127.0.0.1:7860/" });
const NAMES = "window document location history sessionStorage HTMLElement customElements CustomEvent Event MouseEvent";

for (const name of [...NAMES.split(" "), "navigator", "getSelection"]) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
}
globalThis.requestAnimationFrame = (draw) => Number(setTimeout(draw, 0));
globalThis.fetch = answer;

/** Answers to the paths that a test expects to be asked, by their beginning. */
export const answers = new Map();

async function answer(path) {
  const [, texts] = /^\/static\/i18n\/(\w+\.json)$/.exec(path) ?? [];
  if (texts) return new Response(await readFile(new URL(texts, TEXTS)));
  const found = [...answers].find(([beginning]) => path.startsWith(`/api/v1${beginning}`));
  return found ? Response.json(found[1]) : new Response("{}", { status: 404 });
}
