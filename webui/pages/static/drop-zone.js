// Where files are dropped or chosen.
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";

const AUDIO = "audio/*,video/*,.amr,.wma,.silk,.aac,.opus,.m4a,.caf,.au,.gsm,.3gp,.mkv,.flv";

/** A button to choose with and an area to drop on; `onFiles(files)` gets an array of at least one. */
export function dropZone({ title, hint, multiple = false, archives = false, onFiles }) {
  const input = h("input", { type: "file", class: "sf-offscreen", multiple, accept: archives ? `${AUDIO},.zip` : AUDIO, tabindex: -1, "aria-hidden": "true" });
  input.addEventListener("change", () => {
    if (input.files.length) onFiles([...input.files]);
    input.value = "";
  });
  const zone = h(
    "div",
    { class: "sf-drop" },
    input,
    h(
      "button",
      { type: "button", class: "sf-drop-button", onclick: () => input.click() },
      icon("upload"),
      h("span", { class: "sf-drop-title" }, title),
      hint ? h("span", { class: "sf-drop-hint" }, hint) : null,
    ),
  );
  acceptDrops(zone, onFiles);
  return zone;
}

function acceptDrops(zone, onFiles) {
  const over = (now) => (event) => {
    event.preventDefault();
    zone.classList.toggle("sf-over", now);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", (event) => {
    over(false)(event);
    const files = [...event.dataTransfer.files];
    if (files.length) onFiles(files);
  });
}

/** A file that misses the area must not make the browser leave the page. */
export function ignoreStrayDrops() {
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
}

/** The sample recording `name` as a File. */
export async function sample(name, title) {
  const response = await fetch(`/static/samples/${name}.wav`);
  if (!response.ok) throw new Error(t("sample_missing"));
  return new File([await response.blob()], title, { type: "audio/wav" });
}
