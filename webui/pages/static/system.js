// The server for its administrator: models present and to be had, memory, disk, versions, the label.
import { get, post } from "./api.js";
import { announce, announceError, button, errorBox, h, icon, Island } from "./dom.js";
import { bytes, languageName, percent } from "./format.js";
import { tabClicked } from "./gradio.js";
import { t } from "./i18n.js";
import { modelName, progressBar } from "./job-status.js";

const PULL_LOOK_MS = 2000;
const MOST_LANGUAGES = 5;
const SITES = { modelscope: "ModelScope", huggingface: "Hugging Face" };
// Elsewhere the server refuses to install.
const LOCAL = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

class System extends Island {
  connected(signal) {
    this.signal = signal;
    this.message = h("div", {}, h("p", { class: "sf-quiet-text" }, t("loading")));
    this.guide = h("div");
    this.devices = h("div", { class: "sf-models" });
    this.installed = h("div", { class: "sf-models" });
    this.catalogue = h("div", { class: "sf-models" });
    this.facts = h("dl", { class: "sf-definitions" });
    const refresh = button(t("look_again"), () => this.#lookAgain(), { icon: "retry" });
    this.replaceChildren(
      this.message,
      this.guide,
      section("installed_models", this.installed, refresh),
      section("devices", this.devices),
      section("catalogue", this.catalogue, null, t(LOCAL ? "catalogue_info" : "catalogue_info_remote")),
      section(
        "server",
        this.facts,
        button(t("free_memory"), () => this.#freeMemory(), { icon: "chip" }),
      ),
    );
    document.addEventListener("click", (event) => tabClicked(event) === "system" && this.load(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.timer));
    this.load();
  }

  async load() {
    clearTimeout(this.timer);
    try {
      const [{ models, catalog }, system, devices] = await Promise.all([
        get("/models", {}, this.signal),
        get("/system", {}, this.signal),
        get("/devices", {}, this.signal),
      ]);
      this.message.replaceChildren();
      this.guide.replaceChildren(...guide(models));
      this.devices.replaceChildren(...devices.map(deviceRow));
      this.installed.replaceChildren(...models.map((model) => installed(model, this.#optimise(model))));
      this.catalogue.replaceChildren(...catalog.map((entry) => this.#entry(entry)));
      this.facts.replaceChildren(...definitions(system));
      if (catalog.some((entry) => pulling(entry)) || models.some((model) => model.optimise?.state === "running"))
        this.timer = setTimeout(() => this.load(), PULL_LOOK_MS);
    } catch (error) {
      if (!this.signal.aborted) this.message.replaceChildren(errorBox(error));
    }
  }

  /** @param {CatalogEntry} entry */
  #entry(entry) {
    const pull = button(t("pull"), () => this.#run(post(`/models/${encodeURIComponent(entry.name)}/pull`)), {
      icon: "download",
    });
    const facts = [
      t(`model_kind_${entry.kind}`),
      languageNames(entry.languages),
      entry.size_bytes ? bytes(entry.size_bytes) : null,
      entry.licence,
    ];
    return h(
      "article",
      { class: "sf-model" },
      h(
        "div",
        { class: "sf-row-head" },
        h("h3", { class: "sf-title" }, entry.title),
        entry.present ? chip("is_present", "done") : LOCAL && !pulling(entry) ? pull : null,
      ),
      h("p", { class: "sf-facts" }, facts.filter(Boolean).join(" · ")),
      entry.note ? h("p", { class: "sf-hint" }, entry.note) : null,
      pulling(entry) ? pullProgress(entry.pull) : null,
      entry.pull?.error
        ? h("p", { class: "sf-error-text" }, entry.pull.error.message, " ", entry.pull.error.hint)
        : null,
      entry.present ? null : byHand(entry),
    );
  }

  /**
   * What there is to show of making the model faster on the CPU.
   * @param {Model} model
   */
  #optimise({ name, optimise, problem, capabilities }) {
    if (!optimise || problem || capabilities.self_test) return null;
    if (optimise.state === "running") return h("p", { class: "sf-hint" }, t("optimising"));
    const begin = !LOCAL
      ? h("p", { class: "sf-hint" }, t("optimise_remote"), h("code", {}, `./start_app.sh models optimise ${name}`))
      : button(t("optimise"), () => this.#run(post(`/models/${encodeURIComponent(name)}/optimise`)), { icon: "chip" });
    return h(
      "div",
      {},
      optimise.use ? h("p", { class: "sf-hint" }, t("optimised_with", { use: optimise.use })) : begin,
      optimise.error ? h("p", { class: "sf-error-text" }, optimise.error.message, " ", optimise.error.hint) : null,
    );
  }

  /** The server reads the models folder at every request: asking again is looking again. */
  async #lookAgain() {
    await this.load();
    if (!this.message.childElementCount) announce(t("looked_again", { n: this.installed.childElementCount }));
  }

  async #run(request) {
    try {
      await request;
    } catch (error) {
      announceError(error);
    }
    this.load();
  }

  async #freeMemory() {
    try {
      const freed = await post("/system/free-memory");
      announce(
        freed.unloaded.length
          ? t("memory_freed", { models: freed.unloaded.join(", "), size: bytes(freed.freed_bytes) })
          : t("nothing_to_free"),
      );
      this.load();
    } catch (error) {
      announceError(error);
    }
  }
}

function languageNames(codes) {
  const named = codes.slice(0, MOST_LANGUAGES).map(languageName).join(t("comma"));
  return codes.length > MOST_LANGUAGES ? t("and_more_languages", { languages: named, n: codes.length }) : named;
}

/** @param {CatalogEntry} entry */
const pulling = (entry) => entry.pull?.state === "running";

/** @param {CatalogEntry["pull"]} pull */
function pullProgress({ done, total }) {
  const fraction = total ? done / total : 0;
  return h(
    "div",
    { class: "sf-waiting" },
    progressBar(fraction, t("pulling")),
    h("p", {}, `${t("pulling")} ${percent(fraction)} · ${bytes(done)}`),
  );
}

const chip = (key, state) => h("span", { class: `sf-chip sf-state-${state}` }, t(key));

function section(title, body, action = null, info = "") {
  return h(
    "section",
    { class: "sf-card" },
    h(
      "div",
      { class: "sf-status-line" },
      h("h2", { class: "sf-heading" }, t(title)),
      action ? h("div", { class: "sf-actions" }, action) : null,
    ),
    info ? h("p", { class: "sf-hint" }, info) : null,
    body,
  );
}

/** @param {Model} model @param {Element | null} optimisation */
function installed(model, optimisation) {
  const languages = languageNames(model.capabilities.languages);
  const facts = [
    t(`model_kind_${model.kind}`),
    languages,
    model.size_bytes ? bytes(model.size_bytes) : null,
    model.loaded_on.length ? t("loaded_on", { device: model.loaded_on.join(", ") }) : null,
  ];
  return h(
    "article",
    { class: "sf-model" },
    h(
      "div",
      { class: "sf-row-head" },
      h("h3", { class: "sf-title" }, modelName(model.name)),
      model.capabilities.self_test ? chip("self_test_only", "queued") : null,
      model.default ? chip("is_default", "done") : null,
    ),
    h("p", { class: "sf-facts" }, facts.filter(Boolean).join(" · ")),
    optimisation,
    model.problem
      ? h(
          "div",
          { class: "sf-box sf-error" },
          icon("warning"),
          h("div", {}, h("p", {}, model.problem.message), h("p", { class: "sf-hint" }, model.problem.hint)),
        )
      : null,
  );
}

/**
 * What to do first, while only the basic engine can transcribe.
 * @param {Model[]} models
 */
function guide(models) {
  const usable = models.filter((model) => model.kind === "recognizer" && !model.problem && !model.self_test);
  if (usable.some((model) => !model.capabilities.basic)) return [];
  return [
    h(
      "div",
      { class: "sf-box sf-warning", role: "note" },
      icon("warning"),
      h("div", {}, h("p", {}, t("guide_no_model")), h("p", { class: "sf-hint" }, t("guide_which"))),
    ),
  ];
}

/**
 * How to bring a model to the server: by its command line, or without internet.
 * @param {CatalogEntry} entry
 */
function byHand(entry) {
  const sources = Object.entries(entry.source).map(([site, id]) => `${SITES[site] ?? site}: ${id}`);
  const command = h("code", {}, `./start_app.sh models pull ${entry.name}`);
  const steps = [
    [t("by_hand_fetch", { source: sources.join(t("or")) })],
    [t("by_hand_copy"), h("code", {}, `models/${entry.name}`)],
    [t("by_hand_check")],
  ];
  const offline = h(
    "ol",
    {},
    steps.map((step) => h("li", {}, step)),
  );
  return h(
    "details",
    { class: "sf-details" },
    h("summary", {}, t(LOCAL ? "by_hand" : "by_hand_remote")),
    h("p", {}, t("by_hand_online"), command),
    h("p", {}, t("by_hand_offline")),
    offline,
  );
}

/** @param {SystemState} system */
function definitions(system) {
  const libraries = Object.entries(system.libraries).map(([name, version]) => `${name} ${version}`);
  const rows = [
    [t("queue"), t("queue_counts", { queued: system.queue.queued, running: system.queue.running })],
    [
      t("disk"),
      t("disk_free", {
        free: bytes(system.disk.free),
        total: bytes(system.disk.total),
        reserve: bytes(system.disk.reserve),
      }),
    ],
    [t("limits"), t("limits_are", { size: bytes(system.limits.upload_bytes), hours: system.limits.audio_hours })],
    [t("label"), t(system.label.producer_code ? "label_complete" : "label_no_producer")],
    [t("versions"), [`${t("product")} ${system.version}`, `Python ${system.python}`, ...libraries].join(", ")],
  ];
  return rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/**
 * Whether a device works, else why not and the cure; how far it was tested; what models did on it.
 * @param {Device} device
 */
function deviceRow(device) {
  return h(
    "article",
    { class: "sf-model" },
    h(
      "div",
      { class: "sf-row-head" },
      h("h3", { class: "sf-title" }, device.name),
      h("span", { class: "sf-quiet-text" }, device.id),
      device.usable ? chip("usable", "done") : chip("unusable", "failed"),
    ),
    h(
      "p",
      { class: "sf-facts" },
      [
        device.memory_free
          ? t("memory_free", { free: bytes(device.memory_free), total: bytes(device.memory_total) })
          : null,
        device.tested,
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    device.reason ? h("p", { class: device.usable ? "sf-hint" : "sf-error-text" }, device.reason) : null,
    device.hint ? h("p", { class: "sf-hint" }, device.hint) : null,
    ...device.notes.map((note) => h("p", { class: "sf-hint" }, note)),
  );
}

customElements.define("sf-system", System);
