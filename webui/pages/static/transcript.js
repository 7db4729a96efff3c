// The sentences of a job: each with its time, played at a click, corrected in place.
import { patch } from "./api.js";
import { announce, button, errorBox, h } from "./dom.js";
import { clock, languageName } from "./format.js";
import { t } from "./i18n.js";

const SHOWN_STATES = ["done", "failed"];

/** Light-DOM list of segments; `seek` events carry the second to play from, `edited` events the new segment. */
export class Transcript extends HTMLElement {
  #rows = new Map();
  #editing = null;

  /** Draw what changed: `segments` is Map n → segment, `job` says how its texts are to be read. */
  update(job, segments) {
    this.job = job;
    this.classList.add("sf-transcript");
    const shown = [...segments.values()].filter((segment) => SHOWN_STATES.includes(segment.state));
    shown.sort((a, b) => a.start - b.start || a.n - b.n);
    this.split = shown.some((segment) => segment.channel > 0);
    shown.forEach((segment, place) => this.#place(segment, place));
  }

  #place(segment, place) {
    const known = this.#rows.get(segment.n);
    if (!known || (known.change !== segment.change && this.#editing !== segment.n)) this.#draw(segment, known?.row);
    const { row } = this.#rows.get(segment.n);
    if (this.children[place] !== row) this.insertBefore(row, this.children[place] ?? null);
  }

  #draw(segment, old) {
    const row = this.#row(segment);
    old?.replaceWith(row);
    this.#rows.set(segment.n, { row, change: segment.change, segment });
  }

  #row(segment) {
    const seek = () => this.dispatchEvent(new CustomEvent("seek", { detail: segment.start }));
    const text = segment.text || segment.source;
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
    return segment.error?.message ?? t("no_text");
  }

  #marks(segment) {
    const speaker = segment.speaker ?? (this.split ? t("channel_n", { n: segment.channel + 1 }) : null);
    const language = segment.language && segment.language !== this.job.language ? languageName(segment.language) : null;
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
    this.#draw(segment, this.#rows.get(segment.n).row);
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

customElements.define("sf-transcript-lines", Transcript);
