// What a job is doing: name, state, progress, what can be done about it, and what went wrong.
import { post } from "./api.js";
import { announceError, button, errorBox, h, icon } from "./dom.js";
import { beginning, clock, moment, percent, plainName, roughly } from "./format.js";
import { t } from "./i18n.js";
import { isOpen, isRetryable } from "./job-states.js";
import { go } from "./navigation.js";

export const stateChip = (state) => h("span", { class: `sf-chip sf-state-${state}` }, t(`state_${state}`));

export function progressBar(fraction, label) {
  const now = Math.round(fraction * 100);
  return h(
    "div",
    {
      class: "sf-progress",
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": now,
    },
    h("div", { class: "sf-progress-fill", style: `width:${fraction * 100}%` }),
  );
}

/**
 * How the job is named to people: its file, or the beginning of the text it reads.
 * @param {Job} job
 */
export function jobTitle(job) {
  if (job.file_name) return plainName(job.file_name);
  return beginning(String(job.params.text ?? "")) || t(`kind_${job.kind}`);
}

/**
 * What an open job is about to do, in one sentence.
 * @param {Job} job
 */
export function waitingText(job) {
  if (job.state === "cancelling") return t("being_cancelled");
  if (job.state === "queued" && job.progress === 0)
    return job.queue_position > 1 ? t("queue_ahead", { n: job.queue_position - 1 }) : t("queue_next");
  const left = job.eta_s ? ` · ${t("time_left", { time: roughly(job.eta_s) })}` : "";
  return `${percent(job.progress)}${left}`;
}

export async function act(job, action) {
  try {
    return await post(`/jobs/${job.id}/${action}`);
  } catch (error) {
    announceError(error);
    return null;
  }
}

/** The panel at the head of a job. `update(job)` leaves its buttons alone while only the progress moves. */
export class JobStatus {
  constructor(refresh) {
    this.refresh = refresh;
    this.waiting = h("div", { class: "sf-waiting" });
    this.element = h("header", { class: "sf-status" });
  }

  /** @param {Job} job */
  update(job) {
    const lasting = JSON.stringify([job.state, job.error, job.warnings, job.duration_s, job.devices, job.model]);
    if (lasting !== this.lasting) this.#draw(job);
    this.lasting = lasting;
    this.waiting.replaceChildren(
      ...(isOpen(job) ? [progressBar(job.progress, t("progress")), h("p", {}, waitingText(job))] : []),
    );
  }

  /** @param {Job} job */
  #draw(job) {
    this.element.replaceChildren(
      h(
        "div",
        { class: "sf-status-line" },
        h("h2", { class: "sf-title" }, jobTitle(job)),
        stateChip(job.state),
        actions(job, this.refresh),
      ),
      h("p", { class: "sf-facts" }, facts(job).join(" · ")),
      this.waiting,
      ...(job.error ? [problem(job.error)] : []),
      ...job.warnings.map(warning),
    );
  }
}

function actions(job, refresh) {
  const run = (action) => async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    if (await act(job, action)) refresh();
    else pressed.disabled = false;
  };
  return h(
    "div",
    { class: "sf-actions" },
    isOpen(job) ? button(t("cancel"), run("cancel"), { icon: "close", disabled: job.state === "cancelling" }) : null,
    isRetryable(job) ? button(t("retry"), run("retry"), { icon: "retry" }) : null,
  );
}

/** @param {Job} job */
function facts(job) {
  const devices = [...new Set(Object.values(job.devices))].join(", ");
  return [job.duration_s ? clock(job.duration_s) : null, modelName(job.model), devices, moment(job.created_at)].filter(
    Boolean,
  );
}

export const modelName = (name) => (name === "basic" ? t("basic_engine") : name);

const toSystem = () => button(t("to_system"), () => go("system"), { style: "primary" });

function problem(message) {
  return errorBox(message, message.code === "MODEL_NEEDED" ? toSystem() : null);
}

function warning(message) {
  const hint = message.hint ? h("p", { class: "sf-hint" }, message.hint) : null;
  const cure = message.code === "MODEL_NEEDED" ? toSystem() : null;
  return h(
    "div",
    { class: "sf-box sf-warning" },
    icon("warning"),
    h("div", {}, h("p", {}, message.message), hint, cure),
  );
}
