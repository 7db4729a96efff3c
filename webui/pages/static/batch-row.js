// One recording of a batch: waiting, being sent, refused, or a job.
import { randomId } from "./api.js";
import { button, errorText, h } from "./dom.js";
import { bytes, clock, percent, plainName } from "./format.js";
import { t } from "./i18n.js";
import { isFinished, isOpen, isRetryable } from "./job-states.js";
import { act, jobTitle, progressBar, stateChip, waitingText } from "./job-status.js";
import { go } from "./navigation.js";

export class BatchRow {
  constructor(file, batch) {
    this.file = file;
    this.batch = batch;
    this.key = randomId();
    this.params = null;
    /** @type {Job | null} */
    this.job = null;
    this.error = null;
    this.stop = null;
    this.sending = false;
    this.chip = h("span");
    this.detail = h("div", { class: "sf-row-detail" });
    this.buttons = h("div", { class: "sf-actions" });
    this.name = h("strong", { class: "sf-row-name sf-one-line" });
    this.element = h(
      "div",
      { class: "sf-batch-row", role: "listitem" },
      h("div", { class: "sf-row-head" }, this.name, this.chip, this.buttons),
      this.detail,
    );
    this.#setName(file ? plainName(file.name) : "");
    this.#draw();
  }

  /** Not yet asked to be sent. */
  get waits() {
    return Boolean(this.file) && !this.params && !this.error;
  }

  /** On its way to the server. */
  get leaving() {
    return Boolean(this.file) && Boolean(this.params) && !this.error;
  }

  get open() {
    return this.waits || this.leaving || Boolean(this.job && isOpen(this.job));
  }

  get failed() {
    return Boolean(this.error) || this.job?.state === "failed";
  }

  /** Take the row's turn for `params`; `startSending` follows when one of the senders is free. */
  plan(params) {
    this.params = params;
    this.error = null;
    this.#draw();
  }

  startSending() {
    this.stop = new AbortController();
    this.sending = true;
    this.#draw();
    this.setProgress(0);
    return this.stop.signal;
  }

  setProgress(fraction) {
    this.detail.replaceChildren(
      progressBar(fraction, t("uploading")),
      h("p", { class: "sf-quiet-text" }, fraction < 1 ? percent(fraction) : t("being_checked")),
    );
  }

  setJob(job) {
    this.sending = false;
    this.job = job;
    this.file = null;
    this.#setName(jobTitle(job));
    this.#draw();
  }

  setError(error) {
    this.sending = false;
    this.error = error;
    this.#draw();
  }

  async cancel() {
    if (this.job) await this.#act("cancel");
    else if (this.sending) this.stop.abort();
    else this.batch.drop(this);
  }

  async retry() {
    if (this.job) await this.#act("retry");
    else await this.batch.send(this);
  }

  #setName(name) {
    this.name.textContent = name;
    this.name.title = name;
  }

  #draw() {
    const state =
      this.job?.state ?? (this.error ? "refused" : this.sending ? "sending" : this.params ? "planned" : "waiting");
    if (state !== this.state) {
      this.state = state;
      this.chip.replaceChildren(stateChip(state));
      this.buttons.replaceChildren(...this.#actions());
    }
    this.detail.replaceChildren(...this.#details());
  }

  #details() {
    if (this.error) return [h("p", { class: "sf-error-text" }, errorText(this.error))];
    if (!this.job) return this.file ? [h("p", { class: "sf-quiet-text" }, bytes(this.file.size))] : [];
    if (isOpen(this.job))
      return [progressBar(this.job.progress, t("progress")), h("p", { class: "sf-quiet-text" }, waitingText(this.job))];
    const text = this.job.error?.message ?? (this.job.text || this.job.warnings[0]?.message);
    const length = this.job.duration_s ? h("span", { class: "sf-quiet-text" }, `${clock(this.job.duration_s)}  `) : "";
    return [
      h(
        "p",
        { class: `${this.job.error ? "sf-error-text" : "sf-quiet-text"} sf-snippet` },
        length,
        text || t("no_text"),
      ),
    ];
  }

  #actions() {
    const quiet = (label, run) => button(label, run, { icon: "close", iconOnly: true, style: "quiet" });
    const { job } = this;
    if (this.sending || (job && isOpen(job))) return [quiet(t("cancel"), () => this.cancel())];
    if (!job)
      return [
        this.error ? button(t("retry"), () => this.retry(), { icon: "retry" }) : null,
        quiet(t("remove"), () => this.batch.drop(this)),
      ].filter(Boolean);
    const lost = isRetryable(job) && !isFinished(job);
    const again = lost ? [button(t("retry"), () => this.retry(), { icon: "retry" })] : [];
    return [...again, button(t("open"), () => go("transcribe", job.id))];
  }

  async #act(action) {
    const job = await act(this.job, action);
    if (job) this.setJob(job);
    this.batch.draw();
  }
}
