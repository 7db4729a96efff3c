// What this server offers, learnt from it: the formats of results, the kinds and states of jobs.
import { get } from "./api.js";
import { download, h } from "./dom.js";

/** @type {Promise<SystemState | null> | null} */
let asked = null;

/** The server's answer, asked for once by all who want to know; null while it cannot be reached. */
export function offers() {
  asked ??= get("/system").catch(() => {
    asked = null; // whoever asks next asks again
    return null;
  });
  return asked;
}

/** A group of links called `label`, one for each format of a transcript; `href(name)` gives its address. */
export function formatLinks(label, href) {
  const group = h("div", { class: "sf-downloads", role: "group", "aria-label": label });
  group.append(h("span", { class: "sf-quiet-text" }, label));
  offers().then((known) => {
    group.append(...(known?.formats.transcript ?? []).map((name) => download(name.toUpperCase(), href(name))));
  });
  return group;
}
