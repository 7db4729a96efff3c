// The sentences of a job: each with its time, played at a click, corrected in place.
import { patch } from "./api.js";
import { announce, announceError, button, errorBox, h } from "./dom.js";
import { clock, languageName } from "./format.js";
import { t } from "./i18n.js";
import { isTranscript } from "./job-states.js";
import { asHeard, inTime, isNumbered, pieces, placeOf, soundingAt } from "./segments.js";

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
  #naming = null;
  #sounding = null;

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
    for (const segment of this.#queue.splice(0, ROWS_A_FRAME)) {
      if (segment.n === this.#editing || segment.n === this.#naming) this.#rows.get(segment.n).segment = segment;
      else this.#draw(segment);
    }
    if (this.#queue.length && this.isConnected) requestAnimationFrame(() => this.#drawSome());
  }

  #draw(segment) {
    const known = this.#rows.get(segment.n);
    const row = this.#row(segment);
    if (known) {
      known.row.replaceWith(row);
      if (known.row === this.#sounding) {
        this.#sounding = row;
        row.classList.add("sf-now");
      }
      Object.assign(known, { segment, row });
    } else {
      this.#insert({ segment, row });
    }
  }

  #insert(entry) {
    const place = placeOf(this.#order, entry.segment);
    this.insertBefore(entry.row, this.#order[place]?.row ?? null);
    this.#order.splice(place, 0, entry);
    this.#rows.set(entry.segment.n, entry);
  }

  #row(segment) {
    const seek = () => this.#seek(segment);
    const text = segment.text ? pieces(segment).map((piece) => this.#piece(segment, piece)) : segment.source;
    const said = h(
      "p",
      { class: text ? "sf-said" : "sf-said sf-empty", onclick: () => getSelection().isCollapsed && seek() },
      text || this.#silence(segment),
    );
    return h(
      "div",
      { class: "sf-row" },
      this.#time(segment),
      h("div", { class: "sf-row-body" }, this.#marks(segment), said),
      isTranscript(this.job)
        ? button(t("edit"), () => this.#edit(segment), { icon: "edit", iconOnly: true, style: "quiet" })
        : null,
    );
  }

  /** A hotword is marked; one that was put in for what was heard gives it back at a click. */
  #piece(segment, { text, hit }) {
    if (!hit) return text;
    if (!hit.heard || !isTranscript(this.job)) return h("mark", {}, text);
    const label = t("put_back", { heard: hit.heard, word: text });
    const undo = (event) => {
      event.stopPropagation();
      this.#putBack(segment, hit);
    };
    return h(
      "button",
      { type: "button", class: "sf-corrected", title: label, "aria-label": label, onclick: undo },
      h("mark", {}, text),
    );
  }

  async #putBack(segment, hit) {
    const change = { text: asHeard(segment.text, hit), version: segment.version };
    try {
      this.#saved(await patch(`/jobs/${this.job.id}/segments/${segment.n}`, change));
    } catch (error) {
      announceError(error);
    }
  }

  #seek(segment) {
    this.dispatchEvent(new CustomEvent("seek", { detail: segment.start }));
  }

  /** @param {Segment} segment */
  #time(segment) {
    const label = t("play_from", { time: clock(segment.start) });
    return h(
      "button",
      { type: "button", class: "sf-time", onclick: () => this.#seek(segment), title: label, "aria-label": label },
      clock(segment.start),
    );
  }

  /** @param {Segment} segment */
  #silence(segment) {
    if (segment.state === "skipped")
      return t("speech_without_text", { seconds: (segment.end - segment.start).toFixed(1) });
    return segment.error?.message ?? t("no_text");
  }

  /** @param {Segment} segment */
  #marks(segment) {
    const language = this.#languages.size > 1 && segment.language ? languageName(segment.language) : null;
    const marks = [language, segment.edited ? t("edited") : null]
      .filter(Boolean)
      .map((mark) => h("span", { class: "sf-mark" }, mark));
    if (segment.speaker) marks.unshift(this.#speaker(segment));
    return marks.length ? h("div", { class: "sf-marks" }, marks) : null;
  }

  /** Who speaks; a click gives the speaker a name in the whole transcript. */
  #speaker(segment) {
    const numbered = isNumbered(segment.speaker);
    const number = { n: segment.speaker };
    const name = !numbered ? segment.speaker : this.#split ? t("channel_n", number) : t("speaker_n", number);
    const open = (event) => this.#name(segment, event.currentTarget, numbered ? "" : name);
    return h("button", { type: "button", class: "sf-mark sf-speaker", title: t("name_speaker"), onclick: open }, name);
  }

  #name(segment, mark, present) {
    this.#naming = segment.n;
    const input = h("input", {
      class: "sf-input sf-name-input",
      maxlength: 64,
      "aria-label": t("name_speaker"),
      placeholder: t("name_speaker_example"),
      value: present,
    });
    const close = () => {
      this.#naming = null;
      this.#draw(this.#rows.get(segment.n).segment);
    };
    const save = async () => {
      const name = input.value.trim();
      if (!name || name === present) return close();
      try {
        const { changed } = await patch(`/jobs/${this.job.id}/speakers`, { speaker: segment.speaker, name });
        close();
        announce(t("speaker_named", { name, n: changed }));
        this.dispatchEvent(new CustomEvent("named"));
      } catch (error) {
        announceError(error);
      }
    };
    onKeys(input, save, close);
    mark.replaceWith(input, button(t("save"), save, { style: "primary" }), button(t("cancel_edit"), close));
    input.focus();
  }

  #edit(segment) {
    const { row } = this.#rows.get(segment.n);
    this.#editing = segment.n;
    const area = h("textarea", { class: "sf-input", rows: 2, "aria-label": t("edit"), value: segment.text });
    const message = h("div");
    const close = () => this.#finish(this.#rows.get(segment.n).segment);
    const save = async () => {
      try {
        this.#saved(
          await patch(`/jobs/${this.job.id}/segments/${segment.n}`, { text: area.value, version: segment.version }),
        );
      } catch (error) {
        message.replaceChildren(errorBox(error));
      }
    };
    onKeys(area, save, close);
    const buttons = h(
      "div",
      { class: "sf-actions" },
      button(t("save"), save, { style: "primary" }),
      button(t("cancel_edit"), close),
    );
    row.classList.add("sf-editing");
    row.replaceChildren(this.#time(segment), h("div", { class: "sf-row-body" }, area, message, buttons));
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

  /** Mark the sentence that sounds at `seconds`; a reader who has it in sight keeps it in sight. */
  highlight(seconds) {
    const now = soundingAt(this.#order, seconds);
    const before = this.#sounding;
    if (now?.row === before) return;
    this.#sounding = now?.row ?? null;
    const followed = before && inSight(before);
    before?.classList.remove("sf-now");
    now?.row.classList.add("sf-now");
    if (now && followed && this.#editing === null && !inSight(now.row))
      now.row.scrollIntoView({ block: "center", behavior: "smooth" });
  }
}

/** Enter keeps, Escape leaves; not while an input method is at work. */
function onKeys(field, save, close) {
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  });
}

function inSight(row) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

customElements.define("sf-transcript-lines", Transcript);
