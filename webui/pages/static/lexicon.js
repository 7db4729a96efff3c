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
    this.save = button(t("save"), () => this.#save());
    this.replaceChildren(
      h(
        "details",
        { class: "sf-card sf-details" },
        h("summary", {}, t("lexicon")),
        h("p", { class: "sf-hint" }, t("lexicon_info")),
        this.lines,
        this.message,
        this.save,
      ),
    );
    await this.#load(signal);
  }

  /** What one cannot see one cannot save: until the lexicon is here, nothing can be written that would replace it. */
  async #load(signal) {
    this.#lock(true);
    this.message.replaceChildren();
    try {
      this.#show(await get("/lexicon", {}, signal));
      this.#lock(false);
    } catch (error) {
      if (signal.aborted) return;
      this.message.replaceChildren(
        errorBox(
          error,
          button(t("retry"), () => this.#load(signal)),
        ),
      );
    }
  }

  #lock(locked) {
    this.lines.disabled = this.save.disabled = locked;
  }

  #show({ entries }) {
    this.lines.value = Object.entries(entries)
      .map(([word, reading]) => `${word} = ${reading}`)
      .join("\n");
  }

  async #save() {
    this.message.replaceChildren();
    this.#lock(true);
    try {
      this.#show(await put("/lexicon", { entries: parsed(this.lines.value) }));
      announce(t("saved"));
    } catch (error) {
      this.message.replaceChildren(errorBox(error));
    } finally {
      this.#lock(false);
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
