// What other devices do: one stream, taken up again where it broke.

import { ApiError, health, stream } from "./api.js";
import { value } from "./store.js";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
const HIDDEN_MS = 60_000;

/** `connecting`, `online`, `starting` (the daemon opens its memory), `failed` (it could not) or `offline`. */
export const connection = value("connecting");

const listeners = new Map();
let lastId;
let running = null;
let wake = () => {};

/** Call `listener(data)` for each event of this name. */
export function on(name, listener) {
  listeners.set(name, [...(listeners.get(name) ?? []), listener]);
}

/** Listen from now on. */
export function start() {
  if (running) return wake();
  running = new AbortController();
  follow(running.signal);
}

/** Listen no more, and forget where we were. */
export function stop() {
  if (running instanceof AbortController) running.abort();
  running = null;
  lastId = undefined;
}

async function follow(signal) {
  let pause = FIRST_PAUSE_MS;
  const opened = () => {
    pause = FIRST_PAUSE_MS;
    connection.set("online");
  };
  while (!signal.aborted) {
    try {
      for await (const event of stream("GET", "/api/v1/events", { lastId, signal, opened })) {
        lastId = event.id;
        for (const listener of listeners.get(event.event) ?? []) listener(event.data);
      }
    } catch (problem) {
      if (signal.aborted) return;
      if (problem instanceof ApiError && problem.status === 401) return stop();
    }
    if (signal.aborted) return;
    const state = await health();
    connection.set({ starting: "starting", failed: "failed", ready: "connecting" }[state] ?? "offline");
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, pause);
    });
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

// A phone's page is put to sleep; and a browser allows a page six connections, so one that nobody
// looks at gives its own back.
let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.visibilityState === "hidden") {
    hiding = setTimeout(() => {
      if (!running) return;
      running.abort();
      running = "asleep";
    }, HIDDEN_MS);
  } else if (running === "asleep") {
    running = null;
    start();
  } else {
    wake();
  }
});
addEventListener("online", () => wake());
