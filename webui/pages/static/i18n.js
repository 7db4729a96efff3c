// The texts of the islands, in Chinese for Chinese browsers and in English for all others, as Gradio chooses.
export const locale = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
/** As `Intl` and the page have it. */
export const localeTag = locale === "zh" ? "zh-CN" : "en";

// Whoever imports this module waits for the texts, so no island is ever drawn without them.
const response = await fetch(`/static/i18n/${locale}.json`);
const texts = await response.json();
document.documentElement.lang = localeTag;

/** The text of `key` with its `{names}` filled in; the result is plain text, never markup. */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
