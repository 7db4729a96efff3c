// Where the reader is, kept in the address: #history, #transcribe/<job id>, #batch/<batch id>.
import { tabButton, tabClicked } from "./gradio.js";

const NARROW = 720; // pixels: what was opened lies below the controls
const APPEARS_MS = 60_000; // until a tab is drawn, on a slow machine

/** The tab and the id that the address names. */
export function place() {
  const [tab = "", id = ""] = location.hash.slice(1).split("/");
  return { tab, id };
}

/** Show `tab`, and in it the thing with `id`. */
export function go(tab, id = "") {
  remember(tab, id);
  open(tab);
  arrived(tab, id);
}

/** Write the place into the address without moving. */
export function remember(tab, id = "") {
  history.replaceState(null, "", `#${tab}${id ? `/${id}` : ""}`);
}

function open(tab) {
  const button = tabButton(tab);
  if (button?.getAttribute("aria-selected") === "false") button.click();
  button?.scrollIntoView({ block: "nearest", inline: "center" });
}

async function arrived(tab, id) {
  if (!id) return;
  const element = await appearance(`sf-${tab === "clone" ? "speech" : tab}`);
  element?.show(id);
  if (innerWidth < NARROW) element?.scrollIntoView({ block: "start" });
}

/** The element once it is on the page: Gradio draws a tab when it is first chosen. */
function appearance(selector) {
  return new Promise((resolve) => {
    const started = performance.now();
    const look = () => {
      const element = document.querySelector(selector);
      if (element || performance.now() - started > APPEARS_MS) resolve(element);
      else requestAnimationFrame(look);
    };
    look();
  });
}

/** Let the browser ask before the page goes while `busy()`: what is on its way to the server would be lost. */
export function askBeforeLeaving(busy, signal) {
  addEventListener("beforeunload", (event) => busy() && event.preventDefault(), { signal });
}

/** Go where the address says, now and whenever it changes; note it when the reader chooses a tab. */
export function startNavigation() {
  const follow = () => {
    const { tab, id } = place();
    if (tab) {
      open(tab);
      arrived(tab, id);
    }
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const tab = tabClicked(event);
    if (tab && tab !== place().tab) remember(tab);
  });
  follow();
}
