// Choosing what to transcribe: one recording, or (on the Batch tab) many.
import { announce, button, h, icon, Island } from "./dom.js";
import { dropZone, sample } from "./drop-zone.js";
import { bytes, plainName } from "./format.js";
import { t } from "./i18n.js";
import { go } from "./navigation.js";
import { addToBatch } from "./batch.js";

const SAMPLES = { zh: "sample_zh", en: "sample_en" };

/** One chosen file; `take()` gives it, or null after telling the reader to choose one. */
class Chooser extends Island {
  empty() {
    return [];
  }

  connected() {
    this.choose(null);
  }

  choose(file) {
    this.file = file;
    this.replaceChildren(...(file ? [this.#chosen(file)] : this.empty()));
  }

  take() {
    if (!this.file) {
      announce(t("choose_recording_first"), "error");
      this.querySelector(".sf-drop-button").focus();
    }
    return this.file;
  }

  #chosen(file) {
    const name = plainName(file.name);
    return h(
      "div",
      { class: "sf-file" },
      icon("file"),
      h(
        "div",
        { class: "sf-file-name" },
        h("strong", { title: name }, name),
        h("span", { class: "sf-quiet-text" }, bytes(file.size)),
      ),
      button(t("choose_another"), () => this.choose(null), { icon: "close", iconOnly: true, style: "quiet" }),
    );
  }
}

/** `<sf-recording>`: what to transcribe; `sampleLanguage` is its language where it is one of ours. */
class Recording extends Chooser {
  choose(file, sampleLanguage = null) {
    this.sampleLanguage = sampleLanguage;
    super.choose(file);
  }

  empty() {
    return [
      dropZone({
        title: t("drop_recording"),
        hint: t("drop_recording_hint"),
        multiple: true,
        archives: true,
        onFiles: (files) => this.#dropped(files),
      }),
      this.#samples(),
    ];
  }

  #dropped(files) {
    if (files.length === 1 && !files[0].name.toLowerCase().endsWith(".zip")) {
      this.choose(files[0]);
      this.querySelector("button").focus();
    } else {
      announce(t("many_files_to_batch"));
      addToBatch(files);
      go("batch");
    }
  }

  #samples() {
    const links = Object.keys(SAMPLES).map((language) =>
      button(t(`sample_${language}`), () => this.#try(language), { style: "link", icon: "play" }),
    );
    return h("p", { class: "sf-samples" }, h("span", {}, t("try_sample")), ...links);
  }

  async #try(language) {
    try {
      this.choose(await sample(SAMPLES[language], `${t(`sample_name_${language}`)}.wav`), language);
      document.querySelector("#sf-start-transcribing").click();
    } catch (error) {
      announce(error.message, "error");
    }
  }
}

/** `<sf-source>`: the recording that is to be given another voice. */
class Source extends Chooser {
  connected() {
    super.connected();
    this.hidden = true;
  }

  empty() {
    return [dropZone({ title: t("drop_source"), hint: t("drop_source_hint"), onFiles: ([file]) => this.choose(file) })];
  }
}

/** `<sf-recordings>`: everything dropped here becomes a row of the batch. */
class Recordings extends Island {
  connected() {
    this.replaceChildren(
      dropZone({
        title: t("drop_recordings"),
        hint: t("drop_recordings_hint"),
        multiple: true,
        archives: true,
        folders: true,
        onFiles: addToBatch,
      }),
    );
  }
}

customElements.define("sf-recording", Recording);
customElements.define("sf-source", Source);
customElements.define("sf-recordings", Recordings);
