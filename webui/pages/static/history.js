// All jobs, newest first: searched, filtered, paged by the last id seen, and taken away as CSV or JSON.
import { address, get, remove } from "./api.js";
import { follow, watchConnection } from "./changes.js";
import { confirmButton } from "./confirm.js";
import { announce, announceError, button, download, errorBox, h, icon, Island } from "./dom.js";
import { clock, moment } from "./format.js";
import { t } from "./i18n.js";
import { isOpen, isRetryable, isTranscript } from "./job-states.js";
import { act, jobTitle, modelName, stateChip, waitingText } from "./job-status.js";
import { go } from "./navigation.js";
import { offers } from "./offers.js";
import { field } from "./prompt.js";
import { searchPieces } from "./search-marks.js";

const PAGE = 30;
const TYPING_MS = 250;
const BEFORE_MATCH = 30; // characters of the text shown before what was searched

class History extends Island {
  connected(signal) {
    this.signal = signal;
    this.rows = new Map();
    this.list = h("div", { class: "sf-rows", role: "list", "aria-label": t("tab_history") });
    this.message = h("div");
    this.exports = h("div", { class: "sf-downloads" });
    this.more = button(t("load_more"), () => this.#page(), { style: "plain", hidden: true });
    this.replaceChildren(
      h(
        "div",
        { class: "sf-card" },
        this.#filters(),
        this.message,
        this.list,
        h("div", { class: "sf-more" }, this.more),
      ),
    );
    follow((jobs, deleted) => this.#changed(jobs, deleted), signal).then(() => this.search());
    watchConnection((connected) => connected && this.search(), signal);
  }

  #filters() {
    this.words = h("input", {
      class: "sf-input",
      type: "search",
      placeholder: t("search_placeholder"),
      "aria-label": t("search"),
      maxlength: 200,
    });
    this.kind = choice("kinds", (kind) => t(`kind_${kind}`));
    this.state = choice("states", (state) => t(`state_${state}`));
    this.from = h("input", { class: "sf-input", type: "date" });
    this.to = h("input", { class: "sf-input", type: "date" });
    this.words.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(), TYPING_MS);
    });
    for (const control of [this.kind, this.state, this.from, this.to])
      control.addEventListener("change", () => this.search());
    this.clear = button(t("filters_clear"), () => this.#clearFilters(), {
      icon: "close",
      style: "quiet",
      hidden: true,
    });
    return h(
      "div",
      { class: "sf-filters", role: "search" },
      h("div", { class: "sf-search" }, icon("search"), this.words),
      field("filter_kind", this.kind),
      field("filter_state", this.state),
      field("filter_from", this.from),
      field("filter_to", this.to),
      this.clear,
      this.exports,
    );
  }

  #clearFilters() {
    for (const control of [this.words, this.kind, this.state, this.from, this.to]) control.value = "";
    this.search();
    this.words.focus();
  }

  get query() {
    return {
      q: this.words.value.trim(),
      kind: this.kind.value,
      state: this.state.value,
      from: this.from.value && new Date(`${this.from.value}T00:00`).toISOString(),
      to: this.to.value && nextDay(this.to.value).toISOString(),
    };
  }

  /** Begin anew with the filters as they are. */
  search() {
    this.next = null;
    this.clear.hidden = !Object.values(this.query).some(Boolean);
    this.exports.replaceChildren(
      h("span", { class: "sf-quiet-text" }, t("export")),
      download("CSV", address("/history.csv", this.query)),
      download("JSON", address("/history.json", this.query)),
    );
    return this.#page(true);
  }

  async #page(afresh = false) {
    const run = (this.run = (this.run ?? 0) + 1);
    try {
      const answer = await get("/jobs", { ...this.query, before: this.next, limit: PAGE }, this.signal);
      if (run !== this.run) return;
      if (afresh) this.#clear();
      this.next = answer.next;
      this.more.hidden = !answer.next;
      for (const job of answer.jobs) this.#append(job);
      this.message.replaceChildren(...(this.rows.size ? [] : [nothing(this.query)]));
    } catch (error) {
      if (!this.signal.aborted) this.message.replaceChildren(errorBox(error));
    }
  }

  #clear() {
    this.rows.clear();
    this.list.replaceChildren();
  }

  #append(job) {
    const row = this.#row(job);
    this.rows.set(job.id, row);
    this.list.append(row);
  }

  /** @param {Job} job */
  #row(job) {
    const title = jobTitle(job);
    const show = () => go(isTranscript(job) ? "transcribe" : "clone", job.id);
    const text =
      job.error?.message ?? (isOpen(job) ? waitingText(job) : job.text === title ? "" : this.#excerpt(job.text));
    return h(
      "div",
      { class: "sf-history-row", role: "listitem" },
      h("span", { class: "sf-kind", title: t(`kind_${job.kind}`) }, icon(isTranscript(job) ? "text" : "speech")),
      h(
        "div",
        { class: "sf-row-body" },
        h(
          "div",
          { class: "sf-row-head" },
          h("button", { type: "button", class: "sf-row-name sf-one-line", title, onclick: show }, title),
          stateChip(job.state),
        ),
        text ? h("p", { class: job.error ? "sf-error-text sf-snippet" : "sf-snippet" }, text) : null,
        h(
          "p",
          { class: "sf-facts" },
          [moment(job.created_at), job.duration_s ? clock(job.duration_s) : null, modelName(job.model), job.voice]
            .filter(Boolean)
            .join(" · "),
        ),
      ),
      h(
        "div",
        { class: "sf-actions" },
        isRetryable(job) ? button(t("retry"), () => this.#retry(job), { icon: "retry" }) : null,
        button(t("open"), show),
        isOpen(job) ? null : confirmButton(t("delete"), t("delete_sure"), () => this.#delete(job), { icon: "trash" }),
      ),
    );
  }

  /** The text from shortly before the first of the searched words, which are marked. */
  #excerpt(text) {
    return searchPieces(text, this.query.q, BEFORE_MATCH).map((piece) =>
      piece.marked ? h("mark", {}, piece.text) : piece.text,
    );
  }

  async #retry(job) {
    const again = await act(job, "retry");
    if (again) this.#replace(again);
  }

  #replace(job) {
    const row = this.#row(job);
    this.rows.get(job.id)?.replaceWith(row);
    this.rows.set(job.id, row);
  }

  async #delete(job) {
    try {
      await remove(`/jobs/${job.id}`);
      this.#drop(job.id);
      announce(t("deleted"));
    } catch (error) {
      announceError(error);
    }
  }

  #drop(id) {
    this.rows.get(id)?.remove();
    this.rows.delete(id);
  }

  /** Rows on the page follow their jobs; a new job begins the list anew while the reader is at its top. */
  #changed(jobs, deleted) {
    for (const id of deleted) this.#drop(id);
    const unknown = jobs.filter((job) => !this.rows.has(job.id));
    for (const job of jobs) {
      const old = this.rows.get(job.id);
      if (!old || old.contains(document.activeElement)) continue;
      this.#replace(job);
    }
    if (unknown.length && this.rows.size <= PAGE) this.search();
  }
}

/** A menu of what the server offers as `list`, called by `name`; before it, all. */
function choice(list, name) {
  const menu = h("select", { class: "sf-input" }, h("option", { value: "" }, t("all")));
  offers().then((known) =>
    menu.append(...(known?.jobs[list] ?? []).map((value) => h("option", { value }, name(value)))),
  );
  return menu;
}

function nextDay(date) {
  const next = new Date(`${date}T00:00`);
  next.setDate(next.getDate() + 1);
  return next;
}

const nothing = (query) => {
  const filtered = Object.values(query).some(Boolean);
  return h(
    "div",
    { class: "sf-nothing" },
    icon("search"),
    h("p", {}, t(filtered ? "nothing_found" : "nothing_history")),
  );
};

customElements.define("sf-history", History);
