// Saved hotword lists: a menu that fills the hotwords, and keeping what stands there.
import { get, put, remove } from "./api.js";
import { announce, announceError } from "./dom.js";
import { t } from "./i18n.js";
import { recognitionChanged } from "./models.js";

const path = (name) => `/hotwords/${encodeURIComponent(name)}`;

async function menu(value) {
  const { lists } = await get("/hotwords").catch(() => ({ lists: [] }));
  return { list: { choices: lists.map(({ name }) => [name, name]), value } };
}

/** The menu with the lists of this browser. */
export const wordLists = ({ list }) => menu(list ?? null);

/** The words of the chosen list; what was typed stays where it is no list. */
export async function wordListChosen({ list, hotwords, tab, ...others }) {
  const saved = await get(path(list)).catch(() => null);
  const words = saved ? saved.words.join("\n") : hotwords;
  recognitionChanged({ ...others, tab, hotwords: words });
  return { hotwords: { value: words } };
}

/** Keep the words under the name in the menu. */
export async function saveWordList({ list, hotwords }) {
  const kept = (list ?? "").trim();
  if (!kept || !hotwords.trim()) {
    announce(t(kept ? "word_list_words_needed" : "word_list_name_needed"), "error");
    return menu(list);
  }
  try {
    const { warnings } = await put(path(kept), { words: hotwords.split("\n") });
    announce(warnings[0]?.message ?? t("word_list_saved", { name: kept }));
  } catch (error) {
    announceError(error);
  }
  return menu(kept);
}

/** Remove the list that the menu names; its words stay in the box. */
export async function deleteWordList({ list }) {
  const gone = (list ?? "").trim();
  if (!gone) {
    announce(t("word_list_choose"), "error");
    return menu(null);
  }
  try {
    await remove(path(gone));
    announce(t("word_list_deleted", { name: gone }));
    return menu(null);
  } catch (error) {
    announceError(error);
    return menu(gone);
  }
}
