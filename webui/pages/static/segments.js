// What is computed of segments, whoever shows them: their order, their merging, the pieces of their texts.

/** @param {Segment} a @param {Segment} b */
export const inTime = (a, b) => a.start - b.start || a.n - b.n;

/**
 * Take what `changed` into `known`, by number; returns the change to ask after next time, `after` being the last one.
 * @param {Map<number, Segment>} known @param {Segment[]} changed @param {number} after
 */
export function merge(known, changed, after) {
  for (const segment of changed) known.set(segment.n, segment);
  return changed.reduce((newest, segment) => Math.max(newest, segment.change), after);
}

/**
 * Where in `entries`, which are in the order of time, a further segment belongs; the last place is tried first.
 * @param {{segment: Segment}[]} entries @param {Segment} segment
 */
export function placeOf(entries, segment) {
  let place = entries.length;
  while (place > 0 && inTime(entries[place - 1].segment, segment) > 0) place -= 1;
  return place;
}

/**
 * The entry whose segment sounds at `seconds`, if any does.
 * @template {{segment: Segment}} E @param {E[]} entries @param {number} seconds
 */
export const soundingAt = (entries, seconds) =>
  entries.find(({ segment }) => seconds >= segment.start && seconds < segment.end);

/**
 * The text in pieces, `hit` where one is a hotword, with what was heard in its place; hits count characters, not UTF-16
 * units.
 * @param {Pick<Segment, "text" | "hits">} segment
 */
export function pieces({ text, hits }) {
  const characters = [...text];
  const found = [];
  let done = 0;
  const add = (end, hit) => {
    if (end > done) found.push({ text: characters.slice(done, end).join(""), hit });
    done = end;
  };
  for (const hit of hits ?? []) {
    add(hit.start, null);
    add(hit.end, hit);
  }
  add(characters.length, null);
  return found;
}

/**
 * The text with what was heard in the place of a hotword that was put in.
 * @param {string} text @param {{start: number, end: number, heard?: string | null}} hit
 */
export function asHeard(text, { start, end, heard }) {
  const characters = [...text];
  return characters.slice(0, start).join("") + heard + characters.slice(end).join("");
}

/**
 * Whether a speaker still has the number that it was given, no name.
 * @param {string} speaker
 */
export const isNumbered = (speaker) => /^\d+$/.test(speaker);
