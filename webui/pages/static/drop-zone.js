// Where files and folders are dropped or chosen.
import { announce, button, h, icon } from "./dom.js";
import { t } from "./i18n.js";

const RECORDINGS =
  "amr wma silk aac opus m4a caf au gsm 3gp mkv flv wav mp3 flac ogg " +
  "oga mp4 mov avi webm spx aif aiff ac3 mpg mpeg ts vox sph";
const EXTENSIONS = RECORDINGS.split(" ");
const ACCEPT = `audio/*,video/*,${EXTENSIONS.map((name) => `.${name}`).join(",")}`;

/** A button to choose with and an area to drop on; `onFiles(files)` gets an array of at least one. */
export function dropZone({ title, hint, multiple = false, archives = false, folders = false, onFiles }) {
  const input = picker({ multiple, accept: archives ? `${ACCEPT},.zip` : ACCEPT }, onFiles);
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
    folders ? folderButton(archives, onFiles) : null,
  );
  acceptDrops(zone, archives, onFiles);
  return zone;
}

function picker(attributes, onFiles) {
  const input = h("input", { type: "file", class: "sf-offscreen", tabindex: -1, "aria-hidden": "true", ...attributes });
  input.addEventListener("change", () => {
    if (input.files.length) onFiles([...input.files]);
    input.value = "";
  });
  return input;
}

function folderButton(archives, onFiles) {
  const input = picker({ webkitdirectory: true }, (files) => give(recordingsOf(files.sort(byPath), archives), onFiles));
  return h(
    "p",
    { class: "sf-samples" },
    input,
    button(t("choose_folder"), () => input.click(), { style: "link", icon: "folder" }),
  );
}

function acceptDrops(zone, archives, onFiles) {
  const over = (now) => (event) => {
    event.preventDefault();
    zone.classList.toggle("sf-over", now);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", async (event) => {
    over(false)(event);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = [...event.dataTransfer.files];
    if (entries.some((entry) => entry.isDirectory))
      give(recordingsOf((await Promise.all(entries.map(filesIn))).flat(), archives), onFiles);
    else if (files.length) onFiles(files);
  });
}

function give({ taken, left }, onFiles) {
  if (taken.length) onFiles(taken);
  if (left) announce(t("left_out", { n: left }));
  else if (!taken.length) announce(t("folder_empty"), "error");
}

/** Of a folder's files those that may be recordings: what else lies in it was not meant. */
function recordingsOf(files, archives) {
  const wanted = archives ? [...EXTENSIONS, "zip"] : EXTENSIONS;
  const meant = ({ name, type }) =>
    !name.startsWith(".") && (/^(audio|video)\//.test(type) || wanted.includes(name.split(".").pop().toLowerCase()));
  const taken = files.filter(meant);
  return { taken, left: files.length - taken.length };
}

/** Every file below a dropped entry, in the order of their names. */
async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const inside = [];
  for (let some = await read(reader); some.length; some = await read(reader)) inside.push(...some); // 100 at a time
  inside.sort((a, b) => inOrder(a.name, b.name));
  return (await Promise.all(inside.map(filesIn))).flat();
}

const inOrder = (a, b) => a.localeCompare(b, undefined, { numeric: true });
const byPath = (a, b) => inOrder(a.webkitRelativePath, b.webkitRelativePath);
const read = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));

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
