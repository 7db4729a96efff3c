// The head of the page: the name, a lost connection, and what the server needs somebody to know.
import { get } from "./api.js";
import { follow, watchConnection } from "./changes.js";
import { h, icon, Island } from "./dom.js";
import { percent } from "./format.js";
import { t } from "./i18n.js";
import { isOpen } from "./job-states.js";
import { jobTitle } from "./job-status.js";

class Header extends Island {
  connected(signal) {
    const lost = h("p", { class: "sf-lost", role: "status", hidden: true }, icon("warning"), t("connection_lost"));
    const mark = h("img", { src: "/static/favicon.svg", alt: "", width: 36, height: 36 });
    const name = h(
      "div",
      { class: "sf-name" },
      h("h1", { class: "sf-brand" }, t("product")),
      h("p", { class: "sf-tagline" }, t("tagline")),
    );
    this.open = h("p", { class: "sf-open-mode", hidden: true }, icon("warning"), t("open_mode"));
    this.problems = h("div", { class: "sf-stack" });
    this.replaceChildren(
      h("header", { class: "sf-header" }, mark, name, h("div", { class: "sf-notices" }, lost, this.open)),
      this.problems,
    );
    watchConnection((connected) => {
      lost.hidden = connected;
    }, signal);
    this.#look(signal);
    followInTitle(signal);
  }

  async #look(signal) {
    const system = await get("/system", {}, signal).catch(() => null);
    if (!system) return;
    this.open.hidden = !system.open_mode;
    const texts = system.problems.map((problem) => `${problem.message} ${problem.hint}`);
    this.problems.replaceChildren(...texts.map((text) => h("p", { class: "sf-notice" }, icon("warning"), text)));
  }
}

/** The window's title says how far the reader's work is: it is what can be seen of a tab in the background. */
function followInTitle(signal) {
  const name = document.title;
  const open = new Map();
  const tell = (ended) => {
    const [job] = open.values();
    const doing = open.size > 1 ? t("jobs_open", { n: open.size }) : job && `${percent(job.progress)} ${jobTitle(job)}`;
    document.title = [doing || ended, name].filter(Boolean).join(" · ");
  };
  follow((jobs, deleted) => {
    for (const id of deleted) open.delete(id);
    let ended = "";
    for (const job of jobs) {
      if (isOpen(job)) open.set(job.id, job);
      else if (open.delete(job.id)) ended = `${t(`state_${job.state}`)} ${jobTitle(job)}`;
    }
    tell(ended);
  }, signal);
}

customElements.define("sf-header", Header);
