// Saved hotword lists: a menu that fills the hotwords, and keeping what stands there.
import { get, put, remove } from "./api.js";
import { announce } from "./dom.js";
import { t } from "./i18n.js";
import { HOTWORDS, recognitionChanged } from "./models.js";

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
export async function wordListChosen(tab, name, ...controls) {
  const list = await get(path(name)).catch(() => null);
  if (list) controls[HOTWORDS] = list.words.join("\n");
  recognitionChanged(tab, ...controls);
  return controls[HOTWORDS];
}

/** For Gradio: keep the words under the name in the menu. */
export async function saveWordList(name, typed) {
  const kept = (name ?? "").trim();
  if (!kept || !typed.trim()) {
    announce(t(kept ? "word_list_words_needed" : "word_list_name_needed"), "error");
    return menu(name);
  }
  try {
    const { warnings } = await put(path(kept), { words: typed.split("\n") });
    announce(warnings[0]?.message ?? t("word_list_saved", { name: kept }));
  } catch (error) {
    failed(error);
  }
  return menu(kept);
}

/** For Gradio: remove the list that the menu names; its words stay in the box. */
export async function deleteWordList(name) {
  const gone = (name ?? "").trim();
  if (!gone) {
    announce(t("word_list_choose"), "error");
    return menu(null);
  }
  try {
    await remove(path(gone));
    announce(t("word_list_deleted", { name: gone }));
    return menu(null);
  } catch (error) {
    failed(error);
    return menu(gone);
  }
}
