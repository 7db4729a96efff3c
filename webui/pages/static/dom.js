// Elements made by hand: data only ever becomes text nodes and attributes, never markup.
import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  file: "M14 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V7l-4-4Zm0 0v4h4",
  play: "M8 5.5v13l10.5-6.5L8 5.5Z",
  download: "M12 4v12m0 0 5-5m-5 5-5-5M4 19.5h16",
  copy: "M9 9h10v11H9zM5 15V4h10",
  edit: "m4 20 1-4L16 5l3 3L8 19l-4 1Z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  close: "m6 6 12 12M18 6 6 18",
  retry: "M19 12a7 7 0 1 1-2-5m2-3v4h-4",
  check: "m5 12.5 4.5 4.5L19 7.5",
  warning: "M12 4 2.5 20h19L12 4Zm0 6v5m0 2.5v.01",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4 4",
  speech: "M5 10v4M9 7v10M13 4v16M17 8v8M21 11v2",
  text: "M4 6h16M4 12h16M4 18h10",
  plus: "M12 5v14M5 12h14",
  folder: "M3 6.5a1 1 0 0 1 1-1h5l2 2.5h9a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6.5Z",
  chip: "M7 7h10v10H7zM10 3v4m4-4v4m-4 10v4m4-4v4M3 10h4m-4 4h4m10-4h4m-4 4h4",
};

/** `h("p", {class: "note", onclick: f}, "text", child)`; null children and null attributes are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value") element.value = value;
  else element.setAttribute(name, value === true ? "" : value);
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "sf-icon", "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon; without `label` shown, the label is what a screen reader and the tooltip say.
 * @param {string} label @param {(event: any) => any} onclick
 * @param {{icon?: string, style?: string, iconOnly?: boolean, [attribute: string]: any}} options
 */
export function button(label, onclick, { icon: name = null, style = "plain", iconOnly = false, ...attributes } = {}) {
  const named = iconOnly ? { "aria-label": label, title: label } : {};
  return h(
    "button",
    {
      type: "button",
      class: `sf-button sf-${style}${iconOnly ? " sf-icon-only" : ""}`,
      onclick,
      ...named,
      ...attributes,
    },
    name ? icon(name) : null,
    iconOnly ? null : h("span", {}, label),
  );
}

export function download(label, href, fileName = "") {
  return h("a", { class: "sf-button sf-plain", href, download: fileName }, label);
}

/** The message of an ApiError (or of a lost connection) as a box that screen readers announce. */
export function errorBox(error, ...actions) {
  const message = error.message || t("connection_failed");
  return h(
    "div",
    { class: "sf-box sf-error", role: "alert" },
    icon("warning"),
    h(
      "div",
      {},
      h("p", {}, message),
      error.hint ? h("p", { class: "sf-hint" }, error.hint) : null,
      actions.filter(Boolean),
    ),
  );
}

export const isAbort = (error) => error.name === "AbortError";

/** A short sentence at the lower edge that goes away by itself. */
export function announce(text, style = "info") {
  let region = document.querySelector(".sf-announcements");
  if (!region) {
    region = h("div", { class: "sf-announcements", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  const note = h("p", { class: `sf-announcement sf-${style}` }, text);
  region.replaceChildren(note);
  setTimeout(() => note.remove(), 5000);
}

/** An ApiError (or a lost connection) and what can be done about it, in one line. */
export const errorText = (error) => [error.message || t("connection_failed"), error.hint].filter(Boolean).join(" ");

export const announceError = (error) => announce(errorText(error), "error");

/** Copy `text`; plain-HTTP addresses have no clipboard object, only the old command. */
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    const area = h("textarea", { class: "sf-offscreen", value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(t("copied"));
}

/** An element that knows when it has left the page: `connected(signal)` is called with a signal that then aborts. */
export class Island extends HTMLElement {
  /** @param {AbortSignal} _signal */
  connected(_signal) {}

  connectedCallback() {
    this.leaving = new AbortController();
    this.dataset.island = ""; // what islands.css lays out
    this.connected(this.leaving.signal);
  }

  disconnectedCallback() {
    this.leaving.abort();
    this.replaceChildren();
  }
}
