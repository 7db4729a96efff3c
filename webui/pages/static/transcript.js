// The sentences of a job: each with its time, played at a click, corrected in place.
import { patch } from "./api.js";
import { announce, button, errorBox, h } from "./dom.js";
import { clock, languageName } from "./format.js";
import { t } from "./i18n.js";

const SHOWN_STATES = ["done", "failed", "skipped"]; // skipped: speech that no model here understands, with its times
const ROWS_A_FRAME = 200; // a ten-hour recording has thousands of sentences; the page must stay awake

/** Light-DOM list of segments; `seek` events carry the second to play from, `edited` events the new segment. */
export class Transcript extends HTMLElement {
  #rows = new Map(); // n → {segment, row}
  #order = []; // the same, by time
  #queue = [];
  #languages = new Set();
  #split = false;
  #editing = null;

  /** Draw the segments that `changed`; `job` says how their texts are to be read. */
  update(job, changed) {
    this.job = job;
    this.classList.add("sf-transcript");
    const shown = changed.filter((segment) => SHOWN_STATES.includes(segment.state));
    const marked = this.#marked;
    for (const { channel, language } of shown) {
      this.#split ||= channel > 0;
      if (language) this.#languages.add(language);
    }
    if (marked !== this.#marked) this.#queue.push(...this.#order.map(({ segment }) => segment));
    this.#queue.push(...shown.sort(inTime));
    this.#drawSome();
  }

  /** Which marks the rows carry; when that changes, all are drawn again. */
  get #marked() {
    return `${this.#split} ${this.#languages.size > 1}`;
  }

  #drawSome() {
    for (const segment of this.#queue.splice(0, ROWS_A_FRAME)) if (segment.n !== this.#editing) this.#draw(segment);
    if (this.#queue.length && this.isConnected) requestAnimationFrame(() => this.#drawSome());
  }

  #draw(segment) {
    const known = this.#rows.get(segment.n);
    const row = this.#row(segment);
    if (known) {
      known.row.replaceWith(row);
      Object.assign(known, { segment, row });
    } else {
      this.#insert({ segment, row });
    }
  }

  #insert(entry) {
    let place = this.#order.length;
    while (place > 0 && inTime(this.#order[place - 1].segment, entry.segment) > 0) place -= 1;
    this.insertBefore(entry.row, this.#order[place]?.row ?? null);
    this.#order.splice(place, 0, entry);
    this.#rows.set(entry.segment.n, entry);
  }

  #row(segment) {
    const seek = () => this.dispatchEvent(new CustomEvent("seek", { detail: segment.start }));
    const text = segment.text ? marked(segment) : segment.source;
    const said = h("p", { class: text ? "sf-said" : "sf-said sf-empty", onclick: () => getSelection().isCollapsed && seek() }, text || this.#silence(segment));
    return h(
      "div",
      { class: "sf-row" },
      h("button", { type: "button", class: "sf-time", onclick: seek, "aria-label": t("play_from", { time: clock(segment.start) }) }, clock(segment.start)),
      h("div", { class: "sf-row-body" }, this.#marks(segment), said),
      this.job.kind === "transcribe" ? button(t("edit"), () => this.#edit(segment), { icon: "edit", iconOnly: true, style: "quiet" }) : null,
    );
  }

  #silence(segment) {
    if (segment.state === "skipped") return t("speech_without_text", { seconds: (segment.end - segment.start).toFixed(1) });
    return segment.error?.message ?? t("no_text");
  }

  #marks(segment) {
    const named = segment.speaker && !/^\d+$/.test(segment.speaker);
    const numbered = this.#split ? t("channel_n", { n: segment.channel + 1 }) : segment.speaker ? t("speaker_n", { n: segment.speaker }) : null;
    const speaker = named ? segment.speaker : numbered;
    const language = this.#languages.size > 1 && segment.language ? languageName(segment.language) : null;
    const marks = [speaker, language, segment.edited ? t("edited") : null].filter(Boolean);
    return marks.length ? h("p", { class: "sf-marks" }, marks.map((mark) => h("span", { class: "sf-mark" }, mark))) : null;
  }

  #edit(segment) {
    const { row } = this.#rows.get(segment.n);
    this.#editing = segment.n;
    const area = h("textarea", { class: "sf-input", rows: 2, "aria-label": t("edit"), value: segment.text });
    const message = h("div");
    const close = () => this.#finish(segment);
    const save = async () => {
      try {
        this.#saved(await patch(`/jobs/${this.job.id}/segments/${segment.n}`, { text: area.value, version: segment.version }));
      } catch (error) {
        message.replaceChildren(errorBox(error));
      }
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        save();
      }
    });
    const buttons = h("div", { class: "sf-actions" }, button(t("save"), save, { style: "primary" }), button(t("cancel_edit"), close));
    row.classList.add("sf-editing");
    row.replaceChildren(h("span", { class: "sf-time" }, clock(segment.start)), h("div", { class: "sf-row-body" }, area, message, buttons));
    area.focus();
  }

  #saved(segment) {
    this.#finish(segment);
    this.dispatchEvent(new CustomEvent("edited", { detail: segment }));
    announce(t("saved"));
  }

  #finish(segment) {
    this.#editing = null;
    this.#draw(segment);
    this.#rows.get(segment.n).row.querySelector(".sf-icon-only")?.focus();
  }

  /** Mark the sentence that sounds at `seconds`. */
  highlight(seconds) {
    for (const { row, segment } of this.#rows.values()) {
      const sounding = seconds >= segment.start && seconds < segment.end;
      if (row.classList.contains("sf-now") !== sounding) row.classList.toggle("sf-now", sounding);
    }
  }
}

/** The text in pieces, the hotwords in it marked; `hits` count characters, not UTF-16 units. */
function marked({ text, hits }) {
  const characters = [...text];
  const pieces = [];
  let done = 0;
  for (const { start, end } of hits ?? []) {
    pieces.push(characters.slice(done, start).join(""), h("mark", {}, characters.slice(start, end).join("")));
    done = end;
  }
  return [...pieces, characters.slice(done).join("")];
}

const inTime = (a, b) => a.start - b.start || a.n - b.n;

customElements.define("sf-transcript-lines", Transcript);
