// Where the parts of a search stand in a text, by the rules of the search: blind to case and width, and to what
// parts characters of different kinds (ISO 9001 is ISO9001).

const CJK = "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}]";
const KINDS = new RegExp(`\\p{N}+|${CJK}+|(?:(?!${CJK})[\\p{L}\\p{M}])+|(?![\\x00-\\x7f])\\p{S}`, "gu");
const BETWEEN = "[\\s\\p{P}$+<=>^`|~]*";

/**
 * The text cut into pieces, from shortly before the first match: those that were searched for are `marked`.
 * @param {string} text
 * @param {string} query
 * @param {number} before characters shown before the first match, where it is far from the beginning
 * @returns {{ text: string, marked: boolean }[]}
 */
export function searchPieces(text, query, before) {
  const wanted = pattern(query);
  const found = wanted ? [...text.matchAll(wanted)] : [];
  if (!found.length) return [{ text, marked: false }];
  let at = found[0].index > 2 * before ? found[0].index - before : 0;
  const pieces = at ? [{ text: "…", marked: false }] : [];
  for (const match of found) {
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), marked: false });
    pieces.push({ text: match[0], marked: true });
    at = match.index + match[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), marked: false });
  return pieces;
}

function pattern(query) {
  const parts = query
    .split(/\s+/)
    .map((part) => (part.normalize("NFKC").match(KINDS) ?? []).map(literally).join(BETWEEN))
    .filter(Boolean);
  return parts.length ? new RegExp(parts.sort((one, other) => other.length - one.length).join("|"), "giu") : null;
}

function literally(run) {
  return run.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
