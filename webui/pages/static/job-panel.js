// The place where the work of a tab appears: empty, sending, or the job.
import { get, randomId, upload } from "./api.js";
import { button, errorBox, h, icon, isAbort, Island } from "./dom.js";
import { percent, plainName } from "./format.js";
import { t } from "./i18n.js";
import { progressBar } from "./job-status.js";
import { jobView } from "./job-view.js";
import { place, remember } from "./navigation.js";

/** Base of the two panels: subclasses name their `tab`, the `kind` of job and the `picture` of their empty state. */
class JobPanel extends Island {
  connected(signal) {
    this.signal = signal;
    this.#empty();
    this.#restore();
  }

  /** Show the job `id` and keep it in the address, so that a reload finds it again. */
  show(id) {
    if (this.shown === id && this.querySelector("sf-job")) return;
    this.shown = id;
    sessionStorage.setItem(`shengfang.${this.tab}`, id);
    const view = jobView(id);
    view.addEventListener("gone", () => sessionStorage.removeItem(`shengfang.${this.tab}`));
    this.replaceChildren(view);
  }

  /** Send a job; `fields` as `upload` takes them, `name` is what the reader sees meanwhile. */
  async send(fields, name) {
    const attempt = { fields, name, key: randomId() };
    await this.#send(attempt);
  }

  async #send(attempt) {
    const stop = new AbortController();
    const progress = h("div", { class: "sf-waiting" });
    const onProgress = (fraction) => progress.replaceChildren(progressBar(fraction, t("uploading")), h("p", {}, `${t("uploading")} ${percent(fraction)}`));
    onProgress(0);
    this.#card(attempt, progress, button(t("cancel"), () => stop.abort(), { icon: "close" }));
    this.scrollIntoView({ behavior: "smooth", block: "nearest" });
    try {
      const { jobs } = await upload("/jobs", attempt.fields, { key: attempt.key, onProgress, signal: stop.signal });
      remember(this.tab, jobs[0].id);
      this.show(jobs[0].id);
    } catch (error) {
      if (isAbort(error)) this.#empty();
      else this.#card(attempt, errorBox(error), button(t("retry"), () => this.#send(attempt), { icon: "retry" }));
    }
  }

  #card(attempt, body, action) {
    this.shown = null;
    const line = h("div", { class: "sf-status-line" }, h("h2", { class: "sf-title" }, plainName(attempt.name)), h("div", { class: "sf-actions" }, action));
    this.replaceChildren(h("div", { class: "sf-card" }, line, body));
  }

  #empty() {
    this.shown = null;
    this.replaceChildren(h("div", { class: "sf-card sf-nothing" }, icon(this.picture), h("p", {}, t(`nothing_${this.tab}`))));
  }

  /** The job of the address, of this browser tab, or the reader's last one. */
  async #restore() {
    const here = place();
    const known = (here.tab === this.tab && here.id) || sessionStorage.getItem(`shengfang.${this.tab}`);
    if (known) {
      this.show(known);
      return;
    }
    const { jobs } = await get("/jobs", { kind: this.kind, limit: 1 }, this.signal).catch(() => ({ jobs: [] }));
    if (jobs.length && this.querySelector(".sf-nothing")) this.show(jobs[0].id);
  }
}

class TranscribePanel extends JobPanel {
  tab = "transcribe";
  kind = "transcribe";
  picture = "text";
}

class SpeechPanel extends JobPanel {
  tab = "clone";
  kind = "speak";
  picture = "speech";
}

customElements.define("sf-transcribe", TranscribePanel);
customElements.define("sf-speech", SpeechPanel);
