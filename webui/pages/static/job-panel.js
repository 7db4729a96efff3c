// The place where the work of a tab appears: empty, sending, or the job.
import { get, randomId, upload } from "./api.js";
import { button, errorBox, h, icon, isAbort, Island } from "./dom.js";
import { percent, plainName } from "./format.js";
import { t } from "./i18n.js";
import { progressBar } from "./job-status.js";
import { jobView } from "./job-view.js";
import { forget, keep, recalled } from "./session-storage.js";
import { askBeforeLeaving, place, remember } from "./navigation.js";

/** Base of the two panels: subclasses name their `tab`, the `kind` of job and the `picture` of their empty state. */
class JobPanel extends Island {
  tab = "";
  kind = "";
  picture = "";

  connected(signal) {
    this.signal = signal;
    askBeforeLeaving(() => Boolean(this.stop), signal);
    this.#empty();
    this.#restore();
  }

  /** Show the job `id` and keep it in the address, so that a reload finds it again. */
  show(id, known = null) {
    if (this.shown === id && this.querySelector("sf-job")) return;
    this.shown = id;
    keep(this.tab, id);
    const view = jobView(id, known);
    view.addEventListener("gone", () => forget(this.tab));
    this.replaceChildren(view);
  }

  /** Send a job; `fields` as `upload` takes them, `name` is what the reader sees meanwhile. */
  async send(fields, name) {
    const attempt = { fields, name, key: randomId() };
    await this.#send(attempt);
  }

  async #send(attempt) {
    const stop = (this.stop = new AbortController());
    const progress = h("div", { class: "sf-waiting" });
    const onProgress = (fraction) =>
      progress.replaceChildren(
        progressBar(fraction, t("uploading")),
        h("p", {}, fraction < 1 ? `${t("uploading")} ${percent(fraction)}` : t("being_checked")),
      );
    onProgress(0);
    this.#card(
      attempt,
      progress,
      button(t("cancel"), () => stop.abort(), { icon: "close" }),
    );
    this.scrollIntoView({ behavior: "smooth", block: "nearest" });
    try {
      const { jobs } = await upload("/jobs", attempt.fields, { key: attempt.key, onProgress, signal: stop.signal });
      remember(this.tab, jobs[0].id);
      this.show(jobs[0].id, jobs[0]);
    } catch (error) {
      if (isAbort(error)) this.#empty();
      else
        this.#card(
          attempt,
          errorBox(error),
          passing(error) ? button(t("retry"), () => this.#send(attempt), { icon: "retry" }) : null,
        );
    } finally {
      if (this.stop === stop) this.stop = null;
    }
  }

  #card(attempt, body, action) {
    this.shown = null;
    const line = h(
      "div",
      { class: "sf-status-line" },
      h("h2", { class: "sf-title" }, plainName(attempt.name)),
      h("div", { class: "sf-actions" }, action),
    );
    this.replaceChildren(h("div", { class: "sf-card" }, line, body));
  }

  #empty() {
    this.shown = null;
    this.replaceChildren(
      h("div", { class: "sf-card sf-nothing" }, icon(this.picture), h("p", {}, t(`nothing_${this.tab}`))),
    );
  }

  /** The job of the address, of this browser tab, or the reader's last one. */
  async #restore() {
    const here = place();
    const known = (here.tab === this.tab && here.id) || recalled(this.tab);
    if (known) {
      this.show(known);
      return;
    }
    const { jobs } = await get("/jobs", { kind: this.kind, limit: 1 }, this.signal).catch(() => ({ jobs: [] }));
    if (jobs.length && this.querySelector(".sf-nothing")) this.show(jobs[0].id, jobs[0]);
  }
}

/** Whether the same request may succeed later; what the server refused is to be changed first. */
const passing = ({ status }) => status === 0 || status === 429 || status >= 500;

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
