// What changed on the server: one long-poll for the whole page, a short question now and then while nobody looks at it.
import { get } from "./api.js";
import { isAbort } from "./dom.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const UNSEEN_MS = 10000;

const listeners = new Set();
const watchers = new Set();
let since = null;
let polling = null;
let connected = true;
let begin;
const begun = new Promise((resolve) => {
  begin = resolve;
});

/**
 * Call `listener(jobs, deletedIds)` with what changed, until `signal` aborts.
 * What is fetched after the returned promise cannot miss a change.
 */
export function follow(listener, signal) {
  add(listeners, listener, signal);
  poll();
  return begun;
}

/** Call `watcher(connected)` whenever the connection is lost or comes back. */
export function watchConnection(watcher, signal) {
  add(watchers, watcher, signal);
}

function add(set, member, signal) {
  set.add(member);
  signal.addEventListener("abort", () => set.delete(member));
}

async function poll() {
  if (polling) return;
  polling = new AbortController();
  const { signal } = polling;
  let wait = FIRST_WAIT_MS;
  while (listeners.size && !signal.aborted) {
    try {
      await pollOnce(signal);
      wait = FIRST_WAIT_MS;
      if (document.hidden) await pause(UNSEEN_MS, signal);
    } catch (error) {
      if (isAbort(error)) break;
      begin();
      tell(false);
      await pause(wait * (0.75 + Math.random() / 2), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }
  if (polling?.signal === signal) polling = null;
}

async function pollOnce(signal) {
  const answer = await get("/changes", { since, wait: document.hidden ? 0 : null }, signal);
  since = answer.since;
  begin();
  tell(true);
  const { jobs, deleted } = answer;
  if (jobs.length || deleted.length) for (const listener of [...listeners]) listener(jobs, deleted);
}

function tell(now) {
  if (now === connected) return;
  connected = now;
  for (const watcher of [...watchers]) watcher(now);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    signal.addEventListener("abort", resolve);
  });
}

// A hidden page holds no connection (browsers allow six to a host, and a clerk may have many tabs open),
// yet its title tells how far the work is.
document.addEventListener("visibilitychange", () => {
  polling?.abort();
  polling = null;
  poll();
});
