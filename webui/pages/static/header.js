// The head of the page: the name, a lost connection, and what the server needs somebody to know.
import { get } from "./api.js";
import { watchConnection } from "./changes.js";
import { h, icon, Island } from "./dom.js";
import { t } from "./i18n.js";

class Header extends Island {
  connected(signal) {
    const lost = h("p", { class: "sf-lost", role: "status", hidden: true }, icon("warning"), t("connection_lost"));
    const mark = h("img", { src: "/static/favicon.svg", alt: "", width: 36, height: 36 });
    const name = h("div", {}, h("h1", { class: "sf-brand" }, t("product")), h("p", { class: "sf-tagline" }, t("tagline")));
    this.notice = h("div", { class: "sf-stack" });
    this.replaceChildren(h("header", { class: "sf-header" }, mark, name, lost), this.notice);
    watchConnection((connected) => {
      lost.hidden = connected;
    }, signal);
    this.#notices(signal);
  }

  async #notices(signal) {
    const system = await get("/system", {}, signal).catch(() => null);
    if (!system) return;
    const notices = [...system.problems.map((problem) => `${problem.message} ${problem.hint}`), ...(system.open_mode ? [t("open_mode")] : [])];
    this.notice.replaceChildren(...notices.map((text) => h("p", { class: "sf-notice" }, icon("warning"), text)));
  }
}

customElements.define("sf-header", Header);
