// A button that asks once more before it does something that cannot be undone.
import { button } from "./dom.js";

const ASKING_MS = 4000;

/** The first press changes the label to `question`; a second one within four seconds calls `action`. */
export function confirmButton(label, question, action, options = {}) {
  let asking = null;
  const calm = () => {
    clearTimeout(asking);
    asking = null;
    element.classList.remove("sf-asking");
    text.textContent = label;
  };
  const element = button(
    label,
    () => {
      if (asking) {
        calm();
        action();
        return;
      }
      element.classList.add("sf-asking");
      text.textContent = question;
      asking = setTimeout(calm, ASKING_MS);
    },
    options,
  );
  const text = element.querySelector("span");
  return element;
}
