// A button that asks once more before it does something that cannot be undone.
import { button } from "./dom.js";

const ASKING_MS = 4000;

/**
 * The first press changes the label to `question` (a text, or what gives one); a second one within four seconds, no
 * double click, calls `action`.
 */
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
    (event) => {
      if (event.detail > 1) return; // of a double click
      if (asking) {
        calm();
        action();
        return;
      }
      element.classList.add("sf-asking");
      text.textContent = typeof question === "function" ? question() : question;
      asking = setTimeout(calm, ASKING_MS);
    },
    options,
  );
  const text = element.querySelector("span");
  return element;
}
