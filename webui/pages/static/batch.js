// Many recordings: a row each, sent two at a time, followed until they are done.
import { address, get, randomId, upload } from "./api.js";
import { follow, watchConnection } from "./changes.js";
import { announce, button, download, h, icon, isAbort, Island } from "./dom.js";
import { t } from "./i18n.js";
import { isOpen } from "./job-feed.js";
import { BatchRow } from "./batch-row.js";
import { place, remember } from "./navigation.js";

const AT_ONCE = 2;
const STORED = "shengfang.batch";
const ARCHIVE_FORMATS = ["docx", "txt", "srt", "vtt", "csv", "json"];

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
    this.list = h("div", { class: "sf-rows", role: "list" });
    this.summary = h("div", { class: "sf-summary" });
    this.nothing = h("div", { class: "sf-nothing" }, icon("file"), h("p", {}, t("nothing_batch")));
    this.replaceChildren(h("div", { class: "sf-card" }, this.summary, this.list, this.nothing));
    follow((jobs) => this.#changed(jobs), signal);
    watchConnection(async (connected) => connected && this.batch && this.#changed(await jobsOf(this.batch).catch(() => [])), signal);
    this.add(early.splice(0));
    const stored = (place().tab === "batch" && place().id) || sessionStorage.getItem(STORED);
    if (stored && !this.rows.length) this.show(stored);
  }

  /** Show the jobs of a batch that was sent before. */
  async show(batch) {
    if (batch === this.batch) return;
    const jobs = await jobsOf(batch).catch(() => []);
    if (!jobs.length || this.rows.some((row) => row.sending)) return;
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
    const waiting = this.rows.filter((row) => row.waits);
    if (!waiting.length) {
      announce(t("choose_recordings_first"), "error");
      return;
    }
    this.params = params;
    if (!this.batch) this.#begin(randomId());
    const next = () => this.rows.find((row) => row.waits);
    const sender = async () => {
      for (let row = next(); row; row = next()) await this.send(row);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
  }

  /** Send one row; a ZIP answers with a job for each of its files, each of which gets a row. */
  async send(row) {
    const options = { key: row.key, onProgress: (fraction) => row.setProgress(fraction), signal: row.startSending() };
    const fields = { kind: "transcribe", batch: this.batch, params: this.params, file: row.file };
    try {
      const { jobs } = await upload("/jobs", fields, options);
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
    sessionStorage.setItem(STORED, batch);
    if (place().tab === "batch") remember("batch", batch);
  }

  #clear() {
    for (const row of this.rows) row.element.remove();
    this.rows = [];
    this.batch = null;
    sessionStorage.removeItem(STORED);
    if (place().tab === "batch") remember("batch");
    this.draw();
  }

  #changed(jobs) {
    const byId = new Map(jobs.map((job) => [job.id, job]));
    for (const row of this.rows) if (row.job && byId.has(row.job.id)) row.setJob(byId.get(row.job.id));
    this.draw();
  }

  /** The line above the rows: how far all of it is, and the results in one file. */
  draw() {
    this.nothing.hidden = this.rows.length > 0;
    this.summary.hidden = this.rows.length === 0;
    const jobs = this.rows.map((row) => row.job).filter(Boolean);
    const ended = jobs.filter((job) => !isOpen(job));
    const bad = this.rows.filter((row) => row.failed).length;
    const text = [t("batch_done", { done: ended.length - ended.filter((job) => job.state === "failed").length, all: this.rows.length })];
    if (bad) text.push(t("batch_failed", { n: bad }));
    const key = `${text}|${this.batch}|${ended.length > 0}`;
    if (key === this.drawn) return;
    this.drawn = key;
    this.summary.replaceChildren(h("p", { class: "sf-count" }, text.join(" · ")), ended.length ? this.#archive() : "", this.#afresh());
  }

  #archive() {
    const link = (format) => download(format.toUpperCase(), address(`/archives/${this.batch}.zip`, { format }));
    return h("div", { class: "sf-downloads", role: "group", "aria-label": t("download_all") }, h("span", { class: "sf-quiet-text" }, t("download_all")), ARCHIVE_FORMATS.map(link));
  }

  #afresh() {
    return button(t("new_batch"), () => this.#clear(), { icon: "plus", style: "quiet" });
  }
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
