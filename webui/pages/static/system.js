// The server for its administrator: models present and to be had, memory, disk, versions, the label.
import { get, post } from "./api.js";
import { announce, button, errorBox, h, icon, Island } from "./dom.js";
import { bytes, languageName, percent } from "./format.js";
import { t } from "./i18n.js";
import { modelName, progressBar } from "./job-status.js";

const PULL_LOOK_MS = 2000;
const MOST_LANGUAGES = 5;

class System extends Island {
  connected(signal) {
    this.signal = signal;
    this.message = h("div");
    this.installed = h("div", { class: "sf-models" });
    this.catalogue = h("div", { class: "sf-models" });
    this.facts = h("dl", { class: "sf-definitions" });
    const refresh = button(t("look_again"), () => this.#run(post("/models/refresh")), { icon: "retry", style: "quiet" });
    this.replaceChildren(
      this.message,
      section("installed_models", this.installed, refresh),
      section("catalogue", this.catalogue, null, t("catalogue_info")),
      section("server", this.facts, button(t("free_memory"), () => this.#freeMemory(), { icon: "chip" })),
    );
    document.addEventListener("click", (event) => event.target.closest?.('[data-tab-id="system"]') && this.load(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.load();
  }

  async load() {
    clearTimeout(this.timer);
    try {
      const [{ models, catalog }, system, devices] = await Promise.all([get("/models", {}, this.signal), get("/system", {}, this.signal), get("/devices", {}, this.signal)]);
      this.message.replaceChildren();
      this.installed.replaceChildren(...models.map((model) => installed(model, this.#optimise(model))));
      this.catalogue.replaceChildren(...catalog.map((entry) => this.#entry(entry)));
      this.facts.replaceChildren(...definitions(system, devices));
      if (catalog.some((entry) => pulling(entry)) || models.some((model) => model.optimise?.state === "running")) this.timer = setTimeout(() => this.load(), PULL_LOOK_MS);
    } catch (error) {
      if (!this.signal.aborted) this.message.replaceChildren(errorBox(error));
    }
  }

  #entry(entry) {
    const pull = button(t("pull"), () => this.#run(post(`/models/${encodeURIComponent(entry.name)}/pull`)), { icon: "download" });
    const facts = [t(`model_kind_${entry.kind}`), languageNames(entry.languages), entry.size_bytes ? bytes(entry.size_bytes) : null, entry.licence];
    return h(
      "article",
      { class: "sf-model" },
      h("div", { class: "sf-row-head" }, h("h3", { class: "sf-title" }, entry.title), entry.present ? chip("is_present", "done") : pulling(entry) ? null : pull),
      h("p", { class: "sf-facts" }, facts.filter(Boolean).join(" · ")),
      entry.note ? h("p", { class: "sf-hint" }, entry.note) : null,
      pulling(entry) ? pullProgress(entry.pull) : null,
      entry.pull?.error ? h("p", { class: "sf-error-text" }, entry.pull.error.message, " ", entry.pull.error.hint) : null,
      entry.present ? null : byHand(entry),
    );
  }

  /** What there is to show of making the model faster on the CPU. */
  #optimise({ name, optimise, problem, capabilities }) {
    if (!optimise || problem || capabilities.self_test) return null;
    if (optimise.state === "running") return h("p", { class: "sf-hint" }, t("optimising"));
    const begin = button(t("optimise"), () => this.#run(post(`/models/${encodeURIComponent(name)}/optimise`)), { icon: "chip", style: "quiet" });
    return h(
      "div",
      {},
      optimise.use ? h("p", { class: "sf-hint" }, t("optimised_with", { use: optimise.use })) : begin,
      optimise.error ? h("p", { class: "sf-error-text" }, optimise.error.message, " ", optimise.error.hint) : null,
    );
  }

  async #run(request) {
    try {
      await request;
    } catch (error) {
      announce([error.message || t("connection_failed"), error.hint].filter(Boolean).join(" "), "error");
    }
    this.load();
  }

  async #freeMemory() {
    try {
      const freed = await post("/system/free-memory");
      announce(freed.unloaded.length ? t("memory_freed", { models: freed.unloaded.join(", "), size: bytes(freed.freed_bytes) }) : t("nothing_to_free"));
      this.load();
    } catch (error) {
      announce(error.message || t("connection_failed"), "error");
    }
  }
}

function languageNames(codes) {
  const named = codes.slice(0, MOST_LANGUAGES).map(languageName).join(", ");
  return codes.length > MOST_LANGUAGES ? t("and_more_languages", { languages: named, n: codes.length }) : named;
}

const pulling = (entry) => entry.pull?.state === "running";

function pullProgress({ done, total }) {
  const fraction = total ? done / total : 0;
  return h("div", { class: "sf-waiting" }, progressBar(fraction, t("pulling")), h("p", {}, `${t("pulling")} ${percent(fraction)} · ${bytes(done)}`));
}

const chip = (key, state) => h("span", { class: `sf-chip sf-state-${state}` }, t(key));

function section(title, body, action = null, info = "") {
  return h(
    "section",
    { class: "sf-card" },
    h("div", { class: "sf-status-line" }, h("h2", { class: "sf-heading" }, t(title)), action ? h("div", { class: "sf-actions" }, action) : null),
    info ? h("p", { class: "sf-hint" }, info) : null,
    body,
  );
}

function installed(model, optimisation) {
  const languages = languageNames(model.capabilities.languages);
  const facts = [t(`model_kind_${model.kind}`), languages, model.size_bytes ? bytes(model.size_bytes) : null, model.loaded_on?.length ? t("loaded_on", { device: [model.loaded_on].flat().join(", ") }) : null];
  return h(
    "article",
    { class: "sf-model" },
    h("div", { class: "sf-row-head" }, h("h3", { class: "sf-title" }, modelName(model.name)), model.capabilities.self_test ? chip("self_test_only", "queued") : null, model.default ? chip("is_default", "done") : null),
    h("p", { class: "sf-facts" }, facts.filter(Boolean).join(" · ")),
    optimisation,
    model.problem ? h("div", { class: "sf-box sf-error" }, icon("warning"), h("div", {}, h("p", {}, model.problem.message), h("p", { class: "sf-hint" }, model.problem.hint))) : null,
  );
}

/** How to bring a model to a machine without internet. */
function byHand(entry) {
  const sources = Object.entries(entry.source).map(([site, id]) => `${site}: ${id}`);
  return h("details", { class: "sf-details" }, h("summary", {}, t("by_hand")), h("p", {}, t("by_hand_help", { source: sources.join(", "), name: entry.name })));
}

function definitions(system, devices) {
  const libraries = Object.entries(system.libraries).map(([name, version]) => `${name} ${version}`);
  const rows = [
    ...devices.map((device) => [`${device.name} (${device.id})`, deviceFacts(device)]),
    [t("queue"), t("queue_counts", { queued: system.queue.queued, running: system.queue.running })],
    [t("disk"), t("disk_free", { free: bytes(system.disk.free), total: bytes(system.disk.total) })],
    [t("label"), t(system.label.producer_code ? "label_complete" : "label_no_producer")],
    [t("versions"), [`${t("product")} ${system.version}`, `Python ${system.python}`, ...libraries].join(", ")],
  ];
  return rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/** Whether a device works, else why not and the cure; how far it was tested; what models did on it. */
function deviceFacts(device) {
  const state = device.usable ? usableText(device) : device.reason;
  const problem = device.reason ? "sf-error-text" : null;
  return [
    h("p", { class: device.usable ? null : problem }, `${state} · ${device.tested}`),
    device.usable && device.reason ? h("p", { class: "sf-hint" }, device.reason) : null,
    device.hint ? h("p", { class: "sf-hint" }, device.hint) : null,
    ...device.notes.map((note) => h("p", { class: "sf-hint" }, note)),
  ];
}

const usableText = (device) => (device.memory_free ? t("device_usable", { free: bytes(device.memory_free) }) : t("usable"));

customElements.define("sf-system", System);
