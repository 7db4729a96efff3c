// The organisation's lexicon: one line a word, `word = reading`.
import { get, put } from "./api.js";
import { announce, button, errorBox, h, Island } from "./dom.js";
import { t } from "./i18n.js";

class Lexicon extends Island {
  async connected(signal) {
    this.lines = h("textarea", {
      class: "sf-input",
      rows: 5,
      spellcheck: "false",
      placeholder: t("lexicon_example"),
      "aria-label": t("lexicon"),
    });
    this.message = h("div");
    const save = button(t("save"), () => this.#save());
    this.replaceChildren(
      h(
        "details",
        { class: "sf-card sf-details" },
        h("summary", {}, t("lexicon")),
        h("p", { class: "sf-hint" }, t("lexicon_info")),
        this.lines,
        this.message,
        save,
      ),
    );
    try {
      this.#show(await get("/lexicon", {}, signal));
    } catch (error) {
      if (!signal.aborted) this.message.replaceChildren(errorBox(error));
    }
  }

  #show({ entries }) {
    this.lines.value = Object.entries(entries)
      .map(([word, reading]) => `${word} = ${reading}`)
      .join("\n");
  }

  async #save() {
    this.message.replaceChildren();
    try {
      this.#show(await put("/lexicon", { entries: parsed(this.lines.value) }));
      announce(t("saved"));
    } catch (error) {
      this.message.replaceChildren(errorBox(error));
    }
  }
}

/** The entries of the lines; one without "=" is a word without a reading, which the server refuses by its name. */
export function parsed(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return Object.fromEntries(
    lines.map((line) => line.split(/[=＝](.*)/s)).map(([word, reading]) => [word.trim(), (reading ?? "").trim()]),
  );
}

customElements.define("sf-lexicon", Lexicon);
