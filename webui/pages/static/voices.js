// The saved voices: heard, checked, withdrawn; and a form for one more.
import { address, get, patch, post, randomId, remove, upload } from "./api.js";
import { announce, announceError, button, errorBox, h, icon, Island } from "./dom.js";
import { clock, day } from "./format.js";
import { keep } from "./session-storage.js";
import { go } from "./navigation.js";
import { t } from "./i18n.js";
import { confirmButton } from "./confirm.js";
import "./lexicon.js";
import { field } from "./prompt.js";

class Voices extends Island {
  connected(signal) {
    this.signal = signal;
    this.cards = h("div", { class: "sf-voice-cards" });
    this.form = h("div", { class: "sf-card sf-voice-form" });
    this.message = h("div");
    this.replaceChildren(
      h(
        "div",
        { class: "sf-columns-even" },
        h("section", { "aria-label": t("tab_voices") }, this.message, this.cards),
        this.form,
      ),
    );
    this.#drawForm();
    this.load();
  }

  async load() {
    try {
      const { voices } = await get("/voices", {}, this.signal);
      this.message.replaceChildren();
      this.cards.replaceChildren(...(voices.length ? voices.map((voice) => this.#card(voice)) : [nothing()]));
    } catch (error) {
      if (!this.signal.aborted) this.message.replaceChildren(errorBox(error));
    }
  }

  /** @param {Voice} voice */
  #card(voice) {
    const about = h(
      "div",
      { class: "sf-stack" },
      voice.transcript ? h("p", { class: "sf-voice-transcript" }, voice.transcript) : null,
    );
    const marks = [voice.shared ? t("voice_shared") : null, voice.usable ? null : t("voice_unusable")].filter(Boolean);
    return h(
      "article",
      { class: `sf-card sf-voice${voice.usable ? "" : " sf-unusable"}` },
      h(
        "div",
        { class: "sf-status-line" },
        h("h3", { class: "sf-title" }, voice.name),
        marks.map((mark) => h("span", { class: "sf-chip" }, mark)),
        this.#actions(voice, about),
      ),
      voice.usable
        ? h("audio", {
            controls: true,
            preload: "metadata",
            src: address(`/voices/${voice.id}/audio`),
            "aria-label": voice.name,
          })
        : null,
      about,
      h(
        "p",
        { class: "sf-facts" },
        [clock(voice.seconds), consentText(voice.consent), day(voice.created_at)].join(" · "),
      ),
      voice.findings.map((finding) =>
        h("div", { class: "sf-box sf-warning" }, icon("warning"), h("p", {}, finding.message)),
      ),
    );
  }

  #actions(voice, about) {
    if (!voice.mine) return null;
    const speak = button(t("speak_with"), () => this.#speakWith(voice), { icon: "speech" });
    const edit = button(t("edit_voice"), () => this.#edit(voice, about), {
      icon: "edit",
      iconOnly: true,
      style: "quiet",
    });
    const withdraw = confirmButton(t("revoke"), t("revoke_sure"), () =>
      this.#change(post(`/voices/${voice.id}/revoke`)),
    );
    const discard = confirmButton(t("delete"), t("delete_sure"), () => this.#change(remove(`/voices/${voice.id}`)));
    return h("div", { class: "sf-actions" }, voice.usable ? [speak, edit, withdraw] : null, discard);
  }

  #speakWith(voice) {
    keep("voice", voice.id);
    go("clone");
  }

  /** Name and transcript of a voice, in place: the transcript may have been a model's guess. */
  #edit(voice, about) {
    const name = h("input", { class: "sf-input", type: "text", maxlength: 100, value: voice.name });
    const transcript = h("textarea", { class: "sf-input", rows: 3, maxlength: 2000, value: voice.transcript });
    const message = h("div");
    const save = async () => {
      try {
        await patch(`/voices/${voice.id}`, { name: name.value, transcript: transcript.value });
        announce(t("saved"));
        this.load();
      } catch (error) {
        message.replaceChildren(errorBox(error));
      }
    };
    const buttons = h(
      "div",
      { class: "sf-actions" },
      button(t("save"), save, { style: "primary" }),
      button(t("cancel_edit"), () => this.load()),
    );
    about.replaceChildren(
      field("voice_name", name),
      field("prompt_transcript", transcript, t("prompt_transcript_info")),
      message,
      buttons,
    );
    name.focus();
  }

  async #change(request) {
    try {
      await request;
    } catch (error) {
      announceError(error);
    }
    this.load();
  }

  #drawForm() {
    const prompt = h("sf-prompt", { where: "voices" });
    const message = h("div");
    const save = button(t("save_voice"), () => this.#add(prompt, message, save), { style: "primary", icon: "plus" });
    this.form.replaceChildren(h("h2", { class: "sf-heading" }, t("add_voice")), prompt, message, save);
  }

  async #add(prompt, message, save) {
    save.disabled = true;
    message.replaceChildren();
    try {
      const given = await prompt.take();
      if (!given) return;
      await upload("/voices", given, { key: randomId() });
      announce(t("voice_saved"));
      this.#drawForm();
      await this.load();
    } catch (error) {
      message.replaceChildren(errorBox(error));
    } finally {
      save.disabled = false;
    }
  }
}

function consentText(consent) {
  const basis = t(`basis_${consent.basis}`);
  const until = consent.expires_at ? ` (${t("until", { date: day(consent.expires_at) })})` : "";
  return consent.revoked_at
    ? t("consent_withdrawn", { subject: consent.subject })
    : `${t("consent_by", { subject: consent.subject, basis })}${until}`;
}

const nothing = () => h("div", { class: "sf-card sf-nothing" }, icon("speech"), h("p", {}, t("nothing_voices")));

customElements.define("sf-voices", Voices);
