// All that the islands know of Gradio's inside: how its events call a script, what it takes as an answer, how it marks
// tabs.

const TAB = '#sf-tabs [role="tab"]';

const latest = new Map(); // number of a control → the value that an event last told of it

/** What Gradio takes as "change these properties of the control" from an event's script. */
const update = (properties) => ({ __type__: "update", ...properties });

const written = (value) => JSON.stringify(value ?? null);

/**
 * Call `act` for an event: it gets one object, the values of the controls by their keys and what was `given` besides,
 * and returns one, the properties to change by the keys of the controls; what it leaves out stays as it is. So does
 * what the reader has changed in the meantime: an answer that was asked for before is no reason to take it back.
 *
 * Gradio itself knows places only: `values` in the order of `inputs`, the answer in the order of `outputs`. `numbers`
 * tell controls of different tabs apart that have the same key.
 */
export async function call(act, { inputs, outputs, given, numbers }, values) {
  const named = Object.fromEntries(inputs.map((key, at) => [key, values[at]]));
  for (const key of inputs) latest.set(numbers[key], written(named[key]));
  const answer = (await act({ ...named, ...given })) ?? {};
  const changed = (key) => key in named && latest.get(numbers[key]) !== written(named[key]);
  const changes = outputs.map((key) => {
    const { value, ...others } = answer[key] ?? {};
    return update(value === undefined || changed(key) ? others : { ...others, value });
  });
  return changes.length === 1 ? changes[0] : changes;
}

/** The button of the tab `id`, once Gradio has drawn it. */
export const tabButton = (id) => document.querySelector(`${TAB}[data-tab-id="${CSS.escape(id)}"]`);

/** The id of the tab whose button was clicked, else null. */
export const tabClicked = (event) => event.target.closest?.(TAB)?.dataset.tabId ?? null;
