// What the kind and the state of a job mean to the page.

const OPEN = ["queued", "running", "cancelling"];
const FINISHED = ["done", "partial"];
const RETRYABLE = ["failed", "cancelled", "partial"];
const TRANSCRIPTS = ["transcribe"];

/** Whether the job has yet to end. */
export const isOpen = ({ state }) => OPEN.includes(state);

/** Whether it ended with a result, be it not all of it. */
export const isFinished = ({ state }) => FINISHED.includes(state);

/** Whether it can be queued again. */
export const isRetryable = ({ state }) => RETRYABLE.includes(state);

/** Whether its result is a transcript; else it is sound. */
export const isTranscript = ({ kind }) => TRANSCRIPTS.includes(kind);
