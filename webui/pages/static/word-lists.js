// Saved hotword lists: a menu that fills the hotwords, and keeping what stands there.
import { get, put, remove } from "./api.js";
import { announce } from "./dom.js";
import { t } from "./i18n.js";

const update = (properties) => ({ __type__: "update", ...properties });
const path = (name) => `/hotwords/${encodeURIComponent(name)}`;

async function menu(value) {
  const { lists } = await get("/hotwords").catch(() => ({ lists: [] }));
  return update({ choices: lists.map(({ name }) => [name, name]), value });
}

const failed = (error) => announce([error.message || t("connection_failed"), error.hint].filter(Boolean).join(" "), "error");

/** For Gradio: the menu with the lists of this browser. */
export const wordLists = (current) => menu(current ?? null);

/** For Gradio: the words of the chosen list; what was typed stays where it is no list. */
export async function wordListChosen(name, typed) {
  const list = await get(path(name)).catch(() => null);
  return list ? list.words.join("\n") : typed;
}

/** For Gradio: keep the words under the name in the menu; without words the list goes. */
export async function saveWordList(name, typed) {
  const kept = (name ?? "").trim();
  if (!kept) {
    announce(t("word_list_name_needed"), "error");
    return menu(null);
  }
  try {
    if (typed.trim()) {
      const { warnings } = await put(path(kept), { words: typed.split("\n") });
      announce(warnings[0]?.message ?? t("saved"));
      return menu(kept);
    }
    await remove(path(kept));
    announce(t("deleted"));
    return menu(null);
  } catch (error) {
    failed(error);
    return menu(kept);
  }
}
