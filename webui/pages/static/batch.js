// Many recordings: a row each, sent two at a time, followed until they are done.
import { address, get, randomId, upload } from "./api.js";
import { follow, watchConnection } from "./changes.js";
import { confirmButton } from "./confirm.js";
import { announce, button, download, h, icon, isAbort, Island } from "./dom.js";
import { t } from "./i18n.js";
import { isFinished, isOpen } from "./job-states.js";
import { BatchRow } from "./batch-row.js";
import { forget, keep, recalled } from "./session-storage.js";
import { formatLinks } from "./offers.js";
import { askBeforeLeaving, place, remember } from "./navigation.js";

const AT_ONCE = 2;
const STORED = "batch";
const SHOWN = { all: () => true, open: (row) => row.open, failed: (row) => row.failed };

let early = [];

/** Add files to the batch, also before its tab has been drawn. */
export function addToBatch(files) {
  const batch = document.querySelector("sf-batch");
  if (batch) batch.add(files);
  else early.push(...files);
}

class Batch extends Island {
  connected(signal) {
    this.rows = [];
    this.batch = null;
    this.shown = "all";
    this.list = h("div", { class: "sf-rows", role: "list" });
    this.summary = this.#head();
    this.nothing = h("div", { class: "sf-nothing" }, icon("file"), h("p", {}, t("nothing_batch")));
    this.replaceChildren(h("div", { class: "sf-card" }, this.summary, this.list, this.nothing));
    follow((jobs) => this.#changed(jobs), signal);
    watchConnection(
      async (connected) => connected && this.batch && this.#changed(await jobsOf(this.batch).catch(() => [])),
      signal,
    );
    askBeforeLeaving(() => this.rows.some((row) => row.leaving), signal);
    this.add(early.splice(0));
    const stored = (place().tab === "batch" && place().id) || recalled(STORED);
    if (stored && !this.rows.length) this.show(stored);
  }

  /** Show the jobs of a batch that was sent before. */
  async show(batch) {
    if (batch === this.batch) return;
    const jobs = await jobsOf(batch).catch(() => []);
    if (!jobs.length || this.rows.some((row) => row.leaving)) return;
    this.#clear();
    this.#begin(batch);
    for (const job of jobs.reverse()) this.#append(new BatchRow(null, this)).setJob(job);
    this.draw();
  }

  add(files) {
    for (const file of files) this.#append(new BatchRow(file, this));
    this.draw();
  }

  /** Send every row that waits, with the same `params`. */
  async start(params) {
    const rows = this.rows.filter((row) => row.waits);
    if (!rows.length) {
      if (!this.rows.some((row) => row.leaving)) announce(t("choose_recordings_first"), "error");
      return;
    }
    if (!this.batch) this.#begin(randomId());
    for (const row of rows) row.plan(params);
    this.draw();
    const sender = async () => {
      for (let row = rows.shift(); row; row = rows.shift()) if (this.rows.includes(row)) await this.send(row);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
  }

  /** Send one row; a ZIP answers with a job for each of its files, each of which gets a row. */
  async send(row) {
    row.plan(row.params);
    const options = { key: row.key, onProgress: (fraction) => row.setProgress(fraction), signal: row.startSending() };
    const fields = { kind: "transcribe", batch: this.batch, params: row.params, file: row.file };
    try {
      const { jobs, refused } = await upload("/jobs", fields, options);
      if (refused.length) announce(refused.map(({ error }) => error.message).join(" "), "error");
      row.setJob(jobs[0]);
      for (const job of jobs.slice(1)) this.#append(new BatchRow(null, this)).setJob(job);
    } catch (error) {
      if (isAbort(error)) this.drop(row);
      else row.setError(error);
    }
    this.draw();
  }

  drop(row) {
    this.rows = this.rows.filter((other) => other !== row);
    row.element.remove();
    this.draw();
  }

  #append(row) {
    this.rows.push(row);
    this.list.append(row.element);
    return row;
  }

  #begin(batch) {
    this.batch = batch;
    keep(STORED, batch);
    if (place().tab === "batch") remember("batch", batch);
  }

  #clear() {
    for (const row of this.rows) row.element.remove();
    Object.assign(this, { rows: [], batch: null, shown: "all" });
    forget(STORED);
    if (place().tab === "batch") remember("batch");
    this.draw();
  }

  #changed(jobs) {
    const byId = new Map(jobs.map((job) => [job.id, job]));
    for (const row of this.rows) if (row.job && byId.has(row.job.id)) row.setJob(byId.get(row.job.id));
    this.draw();
  }

  /** The lines above the rows, made once: what a reader is about to press must not be replaced under the hand. */
  #head() {
    const each = (name, act) => () => this.rows.filter(SHOWN[name]).forEach(act);
    const count = (name) => this.rows.filter(SHOWN[name]).length;
    this.count = h("p", { class: "sf-count" });
    this.again = button(
      "",
      each("failed", (row) => row.retry()),
      { icon: "retry" },
    );
    this.stop = confirmButton(
      t("cancel_all"),
      () => t("cancel_all_sure", { n: count("open") }),
      each("open", (row) => row.cancel()),
      { icon: "close" },
    );
    this.afresh = button(t("new_batch"), () => this.#clear(), { icon: "plus", style: "quiet" });
    this.choices = Object.keys(SHOWN).map((name) => button("", () => this.#show(name), { style: "choice" }));
    this.choice = h("div", { class: "sf-choices", role: "group", "aria-label": t("filter_state") }, this.choices);
    this.archive = h("div");
    return h(
      "div",
      { class: "sf-summary" },
      this.count,
      h("div", { class: "sf-actions" }, this.again, this.stop, this.afresh),
      this.choice,
      this.archive,
    );
  }

  /** How far all of it is, which rows are shown, and the results in one file. */
  draw() {
    const count = (name) => this.rows.filter(SHOWN[name]).length;
    if (!count(this.shown)) this.shown = "all";
    for (const row of this.rows) row.element.hidden = !SHOWN[this.shown](row);
    this.nothing.hidden = this.rows.length > 0;
    this.summary.hidden = this.rows.length === 0;
    const ended = this.rows.filter((row) => row.job && !isOpen(row.job));
    const [all, open, failed] = Object.keys(SHOWN).map(count);
    this.count.textContent = t("batch_done", {
      done: ended.filter((row) => isFinished(row.job)).length,
      all,
    });
    label(this.again, t("retry_failed", { n: failed }), failed);
    this.stop.hidden = !open;
    this.afresh.hidden = open === all || this.rows.some((row) => row.leaving);
    this.choice.hidden = !failed && (!open || open === all);
    const [one, two, three] = this.choices;
    label(one, t("batch_show_all", { n: all }), all);
    label(two, t("batch_show_open", { n: open }), open);
    label(three, t("batch_show_failed", { n: failed }), failed);
    Object.keys(SHOWN).forEach((name, at) =>
      this.choices[at].setAttribute("aria-pressed", String(this.shown === name)),
    );
    this.#drawArchive(ended.length ? this.batch : null);
  }

  #drawArchive(batch) {
    if (this.archived === batch) return;
    this.archived = batch;
    const links = () => formatLinks(t("download_all"), (format) => address(`/batches/${batch}/result.zip`, { format }));
    const table = () => download(t("download_table"), address(`/batches/${batch}/result.csv`));
    this.archive.replaceChildren(...(batch ? [links(), table()] : []));
  }

  #show(name) {
    this.shown = name;
    this.draw();
  }
}

function label(element, text, shown) {
  element.hidden = !shown;
  element.querySelector("span").textContent = text;
}

async function jobsOf(batch) {
  const all = [];
  let before = null;
  do {
    const page = await get("/jobs", { batch, before, limit: 100 });
    all.push(...page.jobs);
    before = page.next;
  } while (before);
  return all;
}

customElements.define("sf-batch", Batch);
