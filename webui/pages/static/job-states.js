// What the kind and the state of a job mean to the page.

const OPEN = ["queued", "running", "cancelling"];
const FINISHED = ["done", "partial"];
const RETRYABLE = ["failed", "cancelled", "partial"];
const VOICE_LOST = ["CONSENT_EXPIRED", "VOICE_NOT_FOUND"];
const TRANSCRIPTS = ["transcribe"];

/** Whether the job has yet to end. */
export const isOpen = ({ state }) => OPEN.includes(state);

/** Whether it ended with a result, be it not all of it. */
export const isFinished = ({ state }) => FINISHED.includes(state);

/** Whether it can be queued again, and would not fail again at once for want of its voice. */
export const isRetryable = ({ state, error }) => RETRYABLE.includes(state) && !VOICE_LOST.includes(error?.code);

/** Whether its result is a transcript; else it is sound. */
export const isTranscript = ({ kind }) => TRANSCRIPTS.includes(kind);
