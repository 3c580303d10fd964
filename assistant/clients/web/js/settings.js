// What this device was told to do, kept in the browser. Nothing secret.

import { value } from "./store.js";

function kept(name, initial) {
  const key = `nestor.${name}`;
  const setting = value(localStorage.getItem(key) ?? initial);
  setting.follow((now) => localStorage.setItem(key, now));
  return setting;
}

/** `auto`, `light` or `dark`. */
export const theme = kept("theme", "auto");

const paused = kept("memory-paused", "");

/** Whether questions from this device leave memories out. */
export const memoryPaused = {
  get: () => paused.get() === "yes",
  set: (on) => paused.set(on ? "yes" : ""),
  follow: (follower) => paused.follow((now) => follower(now === "yes")),
};

function dress() {
  document.documentElement.dataset.theme = theme.get();
}
theme.follow(dress);
dress();
