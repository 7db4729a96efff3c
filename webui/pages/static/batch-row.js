// One recording of a batch: waiting, being sent, refused, or a job.
import { randomId } from "./api.js";
import { button, h } from "./dom.js";
import { bytes, plainName } from "./format.js";
import { t } from "./i18n.js";
import { isOpen } from "./job-feed.js";
import { act, jobTitle, progressBar, stateChip, waitingText } from "./job-status.js";
import { go } from "./navigation.js";

export class BatchRow {
  constructor(file, batch) {
    Object.assign(this, { file, batch, key: randomId(), job: null, error: null, stop: null, sending: false });
    this.chip = h("span");
    this.detail = h("div", { class: "sf-row-detail" });
    this.buttons = h("div", { class: "sf-actions" });
    this.name = h("strong", { class: "sf-row-name" }, file ? plainName(file.name) : "");
    this.element = h("div", { class: "sf-batch-row", role: "listitem" }, h("div", { class: "sf-row-head" }, this.name, this.chip, this.buttons), this.detail);
    this.#draw();
  }

  get waits() {
    return Boolean(this.file) && !this.job && !this.error && !this.sending;
  }

  get failed() {
    return Boolean(this.error) || this.job?.state === "failed";
  }

  startSending() {
    this.stop = new AbortController();
    this.sending = true;
    this.error = null;
    this.#draw();
    this.setProgress(0);
    return this.stop.signal;
  }

  setProgress(fraction) {
    this.detail.replaceChildren(progressBar(fraction, t("uploading")));
  }

  setJob(job) {
    this.sending = false;
    this.job = job;
    this.file = null;
    this.name.textContent = jobTitle(job);
    this.#draw();
  }

  setError(error) {
    this.sending = false;
    this.error = error;
    this.#draw();
  }

  #draw() {
    const state = this.job?.state ?? (this.error ? "refused" : this.sending ? "sending" : "waiting");
    if (state !== this.state) {
      this.state = state;
      this.chip.replaceChildren(stateChip(state));
      this.buttons.replaceChildren(...this.#actions());
    }
    this.detail.replaceChildren(...this.#details());
  }

  #details() {
    if (this.error) return [h("p", { class: "sf-error-text" }, [this.error.message || t("connection_failed"), this.error.hint].filter(Boolean).join(" "))];
    if (!this.job) return this.file ? [h("p", { class: "sf-quiet-text" }, bytes(this.file.size))] : [];
    if (isOpen(this.job)) return [progressBar(this.job.progress, t("progress")), h("p", { class: "sf-quiet-text" }, waitingText(this.job))];
    const text = this.job.error?.message ?? (this.job.text || this.job.warnings[0]?.message);
    return text ? [h("p", { class: this.job.error ? "sf-error-text sf-snippet" : "sf-quiet-text sf-snippet" }, text)] : [];
  }

  #actions() {
    const quiet = (label, run, name) => button(label, run, { icon: name, iconOnly: true, style: "quiet" });
    const { job } = this;
    if (!job && this.sending) return [quiet(t("cancel"), () => this.stop.abort(), "close")];
    if (!job && this.error) return [button(t("retry"), () => this.batch.send(this), { icon: "retry" }), quiet(t("remove"), () => this.batch.drop(this), "close")];
    if (!job) return [quiet(t("remove"), () => this.batch.drop(this), "close")];
    if (isOpen(job)) return [quiet(t("cancel"), () => this.#act("cancel"), "close")];
    const retry = ["failed", "cancelled"].includes(job.state) ? [button(t("retry"), () => this.#act("retry"), { icon: "retry" })] : [];
    return [...retry, button(t("open"), () => go("transcribe", job.id))];
  }

  async #act(action) {
    const job = await act(this.job, action);
    if (job) this.setJob(job);
    this.batch.draw();
  }
}
