// Numbers and times as people write them.
import { localeTag, t } from "./i18n.js";

const two = (number) => String(number).padStart(2, "0");

/** 75.4 → "1:15"; from an hour on "1:02:03". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A span of time to wait, roughly: "about 3 minutes". */
export function roughly(seconds) {
  if (seconds < 60) return t("seconds_about", { n: Math.max(5, Math.ceil(seconds / 5) * 5) });
  if (seconds < 5400) return t("minutes_about", { n: Math.round(seconds / 60) });
  return t("hours_about", { n: (seconds / 3600).toFixed(1) });
}

/** 936e6 → "936 MB": in thousands, as the sizes of models and disks are given everywhere. */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  let value = count;
  while (value >= 1000 && power < units.length - 1) {
    value /= 1000;
    power += 1;
  }
  return `${value.toFixed(value < 10 && power > 1 ? 1 : 0)} ${units[power]}`;
}

export const percent = (fraction) => `${Math.floor(fraction * 100)} %`;

/** The local time of an ISO stamp; today without the date, this year without the year. */
export function moment(stamp) {
  const time = new Date(stamp);
  const now = new Date();
  /** @type {Intl.DateTimeFormatOptions} */
  const hours = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (time.toDateString() === now.toDateString()) return `${t("today")} ${time.toLocaleTimeString(localeTag, hours)}`;
  /** @type {Intl.DateTimeFormatOptions} */
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return time.toLocaleString(localeTag, { ...year, month: "short", day: "numeric", ...hours });
}

export const day = (stamp) =>
  new Date(stamp).toLocaleDateString(localeTag, { year: "numeric", month: "short", day: "numeric" });

export const languageName = (code) => {
  try {
    return new Intl.DisplayNames([localeTag], { type: "language" }).of(code);
  } catch {
    return code;
  }
};

/** The first words of a text, as its name. */
export const beginning = (text) => {
  const line = text.trim().split("\n")[0];
  return line.length > 40 ? `${line.slice(0, 40)}…` : line;
};

/** A name from outside for the eye: controls and direction marks, which could disguise it, made visible. */
export const plainName = (name) =>
  // eslint-disable-next-line no-control-regex -- they are what it looks for
  name.replace(/[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "\ufffd");
