// The page's words, in the language of the browser or the one that was chosen.

import { EN } from "./words.en.js";
import { FR } from "./words.fr.js";
import { value } from "./store.js";

export const LANGUAGES = { en: EN, fr: FR };

const kept = localStorage.getItem("nestor.language");
const first = (navigator.languages ?? []).map((one) => one.slice(0, 2)).find((one) => one in LANGUAGES);

/** `en` or `fr`. */
export const language = value(kept in LANGUAGES ? kept : (first ?? "en"));

/** Use this language; empty: the browser's. */
export function choose(code) {
  if (code) localStorage.setItem("nestor.language", code);
  else localStorage.removeItem("nestor.language");
  language.set(code || first || "en");
}

/** A text of the page; `{name}` in it is filled in. */
export function t(key, given = {}) {
  const text = LANGUAGES[language.get()][key] ?? EN[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => given[name] ?? all);
}

/** An error in words: ours where we know it, else as the daemon put it. */
export function explained(problem) {
  const known = LANGUAGES[language.get()][`error.${problem.code}`];
  if (known) return known;
  return [problem.message, problem.hint].filter(Boolean).join(" ");
}

/** A moment as people write it. */
export function moment(iso, withTime = true) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso ?? "";
  const today = date.toDateString() === new Date().toDateString();
  const form = today && withTime ? { timeStyle: "short" } : withTime ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "medium" };
  return new Intl.DateTimeFormat(language.get(), form).format(date);
}

/** A number as people write it. */
export function number(given, digits = 0) {
  return new Intl.NumberFormat(language.get(), { maximumFractionDigits: digits }).format(given);
}

/** A size in words. */
export function size(bytes) {
  if (bytes < 1000) return `${number(bytes)} B`;
  return bytes < 1e6 ? `${number(bytes / 1e3)} kB` : `${number(bytes / 1e6, 1)} MB`;
}
