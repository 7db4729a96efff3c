// A voice to clone: the prompt, what is said in it, and on whose consent. Used on Clone and on Voices.
import { upload } from "./api.js";
import { button, errorBox, h, icon, Island } from "./dom.js";
import { dropZone, sample } from "./drop-zone.js";
import { bytes, plainName } from "./format.js";
import { t } from "./i18n.js";

const BASES = ["self", "written", "recorded"];

/** `<sf-prompt where="clone|voices">`; on Voices it asks for a name as well. */
class Prompt extends Island {
  connected() {
    this.file = null;
    this.fileBox = h("div", { class: "sf-stack" });
    this.name = h("input", { class: "sf-input", type: "text", maxlength: 100, autocomplete: "off" });
    this.transcript = h("textarea", {
      class: "sf-input",
      rows: 3,
      maxlength: 2000,
      placeholder: t("prompt_transcript_example"),
    });
    this.subject = h("input", {
      class: "sf-input",
      type: "text",
      maxlength: 200,
      autocomplete: "off",
      placeholder: t("consent_subject_example"),
    });
    this.basis = h(
      "select",
      { class: "sf-input" },
      h("option", { value: "" }, t("choose")),
      BASES.map((basis) => h("option", { value: basis }, t(`basis_${basis}`))),
    );
    this.message = h("div");
    const named = this.getAttribute("where") === "voices";
    this.replaceChildren(
      this.fileBox,
      ...(named ? [field("voice_name", this.name)] : []),
      field("prompt_transcript", this.transcript, t("prompt_transcript_info")),
      button(t("prompt_recognise"), (event) => this.#recognise(event.currentTarget), { style: "link" }),
      h(
        "fieldset",
        { class: "sf-consent" },
        h("legend", {}, t("consent")),
        h("p", { class: "sf-hint" }, t("consent_info")),
        h("div", { class: "sf-pair" }, field("consent_subject", this.subject), field("consent_basis", this.basis)),
      ),
      this.message,
    );
    this.choose(null);
  }

  choose(file) {
    this.file = file;
    this.message.replaceChildren();
    if (this.preview) URL.revokeObjectURL(this.preview);
    this.preview = file && URL.createObjectURL(file);
    this.fileBox.replaceChildren(...(file ? this.#chosen(file) : this.#zone()));
  }

  /** `{file, transcript, consent, name}`, or null after saying what is missing. */
  async take() {
    await this.loading;
    this.message.replaceChildren();
    if (!this.file) return this.#missing(t("prompt_needed"), this.querySelector(".sf-drop-button"));
    if (this.name.isConnected && !this.name.value.trim()) return this.#missing(t("voice_name_needed"), this.name);
    if (!this.subject.value.trim()) return this.#missing(t("consent_needed"), this.subject);
    if (!this.basis.value) return this.#missing(t("consent_needed"), this.basis);
    const consent = { basis: this.basis.value, subject: this.subject.value.trim() };
    return { file: this.file, transcript: this.transcript.value.trim(), consent, name: this.name.value.trim() };
  }

  async #recognise(asked) {
    if (!this.file) return void this.#missing(t("prompt_needed"), this.querySelector(".sf-drop-button"));
    this.message.replaceChildren();
    asked.disabled = this.transcript.readOnly = true;
    try {
      const { transcript } = await upload("/voices/transcript", { file: this.file });
      this.transcript.value = transcript;
    } catch (error) {
      this.message.replaceChildren(errorBox(error));
    } finally {
      asked.disabled = this.transcript.readOnly = false;
    }
  }

  #missing(message, element) {
    this.message.replaceChildren(errorBox({ message }));
    element.setAttribute("aria-invalid", "true");
    element.addEventListener("input", () => element.removeAttribute("aria-invalid"), { once: true });
    element.focus();
    this.message.scrollIntoView({ block: "nearest" });
    return null;
  }

  #zone() {
    const tries = h(
      "p",
      { class: "sf-samples" },
      h("span", {}, t("no_recording_at_hand")),
      button(t("sample_prompt"), () => (this.loading = this.#sample()), { style: "link", icon: "play" }),
    );
    return [
      dropZone({ title: t("drop_prompt"), hint: t("drop_prompt_hint"), onFiles: ([file]) => this.choose(file) }),
      tries,
    ];
  }

  #chosen(file) {
    const name = h(
      "div",
      { class: "sf-file-name" },
      h("strong", {}, plainName(file.name)),
      h("span", { class: "sf-quiet-text" }, bytes(file.size)),
    );
    const other = button(t("choose_another"), () => this.choose(null), {
      icon: "close",
      iconOnly: true,
      style: "quiet",
    });
    return [
      h("div", { class: "sf-file" }, icon("file"), name, other),
      h("audio", { controls: true, src: this.preview, "aria-label": t("prompt") }),
    ];
  }

  async #sample() {
    try {
      this.choose(await sample("sample_prompt", `${t("sample_prompt_name")}.wav`));
      this.subject.value = t("sample_prompt_subject");
      this.basis.value = "written";
      const before = this.transcript.value;
      const spoken = await fetch("/static/samples/sample_prompt.txt");
      if (spoken.ok && this.transcript.value === before) this.transcript.value = (await spoken.text()).trim();
    } catch (error) {
      this.message.replaceChildren(errorBox(error));
    }
  }
}

/** A labelled control with an optional sentence below its label. */
export function field(key, control, info = "") {
  return h(
    "label",
    { class: "sf-field" },
    h("span", { class: "sf-label" }, t(key)),
    info ? h("span", { class: "sf-hint" }, info) : null,
    control,
  );
}

customElements.define("sf-prompt", Prompt);
