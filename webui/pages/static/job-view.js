// One job as a whole: status, player, downloads and sentences, kept alive while it is on the page.
import { address, refusal } from "./api.js";
import { button, copyText, download, errorBox, h, Island } from "./dom.js";
import { t } from "./i18n.js";
import { JobFeed } from "./job-feed.js";
import { isFinished, isTranscript } from "./job-states.js";
import { JobStatus, jobTitle } from "./job-status.js";
import { formatLinks } from "./offers.js";
import "./transcript.js";

/** `<sf-job job="…">`; `onGone(error)` is called where the job cannot be shown. */
class JobView extends Island {
  /** @type {Job | null} */
  known = null;

  connected(signal) {
    this.status = new JobStatus(() => this.feed.refresh());
    this.player = h("div", { class: "sf-player" });
    this.tools = h("div", { class: "sf-tools" });
    this.lines = h("sf-transcript-lines");
    this.lines.addEventListener("seek", (event) => this.#play(event.detail));
    this.lines.addEventListener("edited", (event) => this.feed.put(event.detail));
    this.lines.addEventListener("named", () => this.feed.refresh());
    this.className = "sf-card sf-job";
    this.replaceChildren(this.status.element, this.player, this.tools, this.lines);
    if (this.known) this.status.update(this.known);
    else this.status.element.replaceChildren(h("p", { class: "sf-quiet-text" }, t("loading")));
    this.feed = new JobFeed(this.getAttribute("job"), {
      signal,
      onChange: (feed, changed) => this.#draw(feed, changed),
      onError: (error) => this.#failed(error),
    });
  }

  #draw({ job, segments }, changed) {
    this.status.update(job);
    this.lines.update(job, changed);
    if (isFinished(job) || (isTranscript(job) && segments.size)) this.#showPlayer(job);
    this.#showTools(job, segments);
  }

  #failed(error) {
    if (this.feed.job && error.status !== 404) return;
    this.status.element.replaceChildren(errorBox(error));
    this.dispatchEvent(new CustomEvent("gone", { detail: error }));
  }

  /** @param {Job} job */
  #showPlayer(job) {
    const version = isTranscript(job) ? "recording" : job.finished_at;
    if (this.played === version) return;
    this.played = version;
    this.audio = h("audio", {
      controls: true,
      preload: "metadata",
      src: address(`/jobs/${job.id}/audio`),
      "aria-label": jobTitle(job),
    });
    this.audio.addEventListener("error", () => this.#checkSound(job));
    this.audio.addEventListener("timeupdate", () => this.lines.highlight(this.audio.currentTime));
    const label = isTranscript(job) ? null : h("p", { class: "sf-ai-label" }, t("ai_label"));
    this.player.replaceChildren(this.audio, ...(label ? [label] : []));
    this.drawnTools = null;
  }

  /** Where the sound is not given out (any more), say why in the place of the player and of its download. */
  async #checkSound(job) {
    const { audio } = this;
    const error = await refusal(`/jobs/${job.id}/audio`);
    if (!error || this.audio !== audio) return;
    this.audio = null;
    this.player.replaceChildren(errorBox(error));
    if (!isTranscript(job)) this.tools.replaceChildren();
  }

  #play(second) {
    if (!this.audio) return;
    this.audio.currentTime = second;
    this.audio.play().catch(() => {});
  }

  #showTools(job, segments) {
    const state = `${job.state} ${segments.size}`;
    if (!isFinished(job) || this.drawnTools === state) return;
    this.drawnTools = state;
    this.tools.replaceChildren(...(isTranscript(job) ? this.#textTools(job) : [this.#soundLink(job)]));
  }

  #textTools(job) {
    const text = () =>
      [...this.feed.segments.values()].sort((a, b) => a.start - b.start).map((segment) => segment.text);
    return [
      button(t("copy_text"), () => copyText(text().filter(Boolean).join("\n")), { icon: "copy" }),
      formatLinks(t("download"), (format) => address(`/jobs/${job.id}/result.${format}`)),
    ];
  }

  #soundLink(job) {
    const format = String(job.params.format ?? "wav");
    const name = `${jobTitle(job).replace(/\.\w{1,5}$/, "")}.${format}`;
    const label = t("download_speech", { format: format.toUpperCase() });
    const link = download(label, address(`/jobs/${job.id}/audio`), name);
    link.addEventListener("click", () => this.#checkSound(job)); // the voice may have been withdrawn since
    return link;
  }
}

customElements.define("sf-job", JobView);

/** A fresh view of the job `id`; `known` is what was heard of it already, shown until the server is asked again. */
export function jobView(id, known = null) {
  const view = h("sf-job", { job: id });
  view.known = known;
  return view;
}
