// One job and its segments, kept up to date.
import { get } from "./api.js";
import { follow, watchConnection } from "./changes.js";
import { merge } from "./segments.js";

/**
 * Fetches a job, then only what changed of it; `onChange(feed, changedSegments)` after every change, `onError(error)`
 * else.
 */
export class JobFeed {
  /**
   * @param {string} id
   * @param {{onChange: Function, onError: (error: any) => void, signal: AbortSignal}} options
   */
  constructor(id, { onChange, onError, signal }) {
    this.id = id;
    this.onChange = onChange;
    this.onError = onError;
    this.signal = signal;
    /** @type {Job | null} */
    this.job = null;
    /** @type {Map<number, Segment>} */
    this.segments = new Map();
    this.after = 0;
    this.fetching = null;
    this.stale = false;
    follow((jobs) => jobs.some((job) => job.id === id) && this.refresh(), signal).then(() => this.refresh());
    watchConnection((connected) => connected && this.refresh(), signal);
  }

  /** Fetch now; a call during a fetch makes it fetch once more. */
  refresh() {
    this.stale = true;
    this.fetching ??= this.#fetchUntilFresh().finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  async #fetchUntilFresh() {
    while (this.stale && !this.signal.aborted) {
      this.stale = false;
      try {
        const [job, changed] = await Promise.all([get(`/jobs/${this.id}`, {}, this.signal), this.#changedSegments()]);
        this.job = job;
        this.after = merge(this.segments, changed, this.after);
        this.onChange(this, changed);
      } catch (error) {
        if (!this.signal.aborted) this.onError(error);
      }
    }
  }

  async #changedSegments() {
    const answer = await get(`/jobs/${this.id}/segments`, { after: this.after, words: false }, this.signal);
    return answer.segments;
  }

  /** Take in a segment that the server answered to an edit. */
  put(segment) {
    this.segments.set(segment.n, segment);
    this.onChange(this, [segment]);
  }
}
