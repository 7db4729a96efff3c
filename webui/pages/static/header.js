// The head of the page: the name, a lost connection, and the notice that there are no accounts yet.
import { get } from "./api.js";
import { watchConnection } from "./changes.js";
import { h, icon, Island } from "./dom.js";
import { t } from "./i18n.js";

class Header extends Island {
  connected(signal) {
    const lost = h("p", { class: "sf-lost", role: "status", hidden: true }, icon("warning"), t("connection_lost"));
    const mark = h("img", { src: "/static/favicon.svg", alt: "", width: 36, height: 36 });
    const name = h("div", {}, h("h1", { class: "sf-brand" }, t("product")), h("p", { class: "sf-tagline" }, t("tagline")));
    this.notice = h("div");
    this.replaceChildren(h("header", { class: "sf-header" }, mark, name, lost), this.notice);
    watchConnection((connected) => {
      lost.hidden = connected;
    }, signal);
    this.#openMode(signal);
  }

  async #openMode(signal) {
    const system = await get("/system", {}, signal).catch(() => null);
    if (system?.open_mode) this.notice.replaceChildren(h("p", { class: "sf-notice" }, icon("warning"), t("open_mode")));
  }
}

customElements.define("sf-header", Header);
