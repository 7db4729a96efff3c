// What this window remembers through a reload; it is gone when the window closes: office computers are shared.
const PREFIX = "shengfang.";

export function keep(name, value) {
  sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
}

/** What was kept under `name`, else null. */
export function recalled(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

export function forget(name) {
  sessionStorage.removeItem(PREFIX + name);
}
