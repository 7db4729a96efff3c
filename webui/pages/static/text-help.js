// Beside the text to be read: how long it is, how to mark a pronunciation or a pause; and the numbered headings.
import { h, Island } from "./dom.js";
import { t } from "./i18n.js";

const EXAMPLES = ["[h][ào]", "[hao4]", "[M][AY0]"];

/** `<sf-text-help>`: counts the text and puts marks where the cursor stands. */
class TextHelp extends Island {
  connected() {
    this.counter = h("span", { class: "sf-counter" });
    const button = (mark) =>
      h("button", { type: "button", class: "sf-mark-button", onclick: () => this.#insert(mark) }, mark);
    const help = h(
      "details",
      { class: "sf-details" },
      h("summary", {}, t("pronunciation")),
      h("p", {}, t("pronunciation_help")),
      h("p", { class: "sf-examples" }, EXAMPLES.map(button)),
      h("p", {}, t("pauses_help")),
      h("p", { class: "sf-examples" }, button(t("pause_example"))),
    );
    this.replaceChildren(h("div", { class: "sf-text-help" }, help, this.counter));
    this.count(this.area?.value ?? "");
  }

  count(text) {
    this.counter.textContent = t("characters", { n: [...text].length });
  }

  get area() {
    return document.querySelector("#sf-text textarea");
  }

  #insert(mark) {
    this.area.setRangeText(mark, this.area.selectionStart, this.area.selectionEnd, "end");
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
    this.area.focus();
  }
}

/** `<sf-step number="1" text="…">`: the heading of a step; `text` is a key of the texts. */
class Step extends Island {
  connected() {
    this.replaceChildren(
      h(
        "h2",
        { class: "sf-step" },
        h("span", { class: "sf-step-number", "aria-hidden": "true" }, this.getAttribute("number")),
        t(this.getAttribute("text")),
      ),
    );
  }
}

customElements.define("sf-text-help", TextHelp);
customElements.define("sf-step", Step);
