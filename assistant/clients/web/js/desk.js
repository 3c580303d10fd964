// Continuity: what is being typed and which conversation is open, on every device.

import { call } from "./api.js";
import { connection, on } from "./feed.js";
import { client } from "./session.js";
import { value } from "./store.js";

const TYPING_MS = 150;
const NEW = "new";

/** What another device has open: {conversation, device, at}; null for nothing. */
export const elsewhere = value(null);

/** What is typed here, by conversation, until the daemon has it. */
const unsent = new Map();
const attached = new Map();
let timer;

const name = (id) => id || NEW;

/** Show what is typed in a conversation elsewhere. Returns how to end it. */
export function attach(id, show) {
  attached.set(name(id), show);
  if (unsent.has(name(id))) show(unsent.get(name(id)));
  else fetchDraft(name(id));
  return () => attached.get(name(id)) === show && attached.delete(name(id));
}

async function fetchDraft(key) {
  const draft = await call("GET", `/api/v1/drafts/${key}`).catch(() => null);
  if (draft && !unsent.has(key)) attached.get(key)?.(draft.text);
}

/** This is what the field holds now. */
export function typed(id, text) {
  unsent.set(name(id), text);
  clearTimeout(timer);
  timer = setTimeout(flush, TYPING_MS);
}

/** The draft was asked; the daemon has dropped it. One for a new conversation is dropped here. */
export function sent(id) {
  unsent.delete(name(id));
  if (!id) typed("", "");
}

async function flush() {
  for (const [key, text] of [...unsent]) {
    try {
      await call("PUT", `/api/v1/drafts/${key}`, { text, client });
      if (unsent.get(key) === text) unsent.delete(key);
    } catch (problem) {
      if (problem.status) unsent.delete(key); // the conversation is gone; else once we are online again
    }
  }
}

/** This conversation is open here; empty: none. */
export function opened(id) {
  call("PUT", "/api/v1/open", { conversation: id || null, client }).catch(() => {});
}

async function readOpen() {
  const found = await call("GET", "/api/v1/open").catch(() => null);
  elsewhere.set(found?.conversation && found.client !== client ? found : null);
}

on("draft", ({ conversation, by }) => {
  if (by !== client && attached.has(conversation)) fetchDraft(conversation);
});
on("open", ({ by }) => by !== client && readOpen());
on("sync", () => {
  readOpen();
  for (const key of attached.keys()) if (!unsent.has(key)) fetchDraft(key);
});
connection.follow((state) => state === "online" && flush());
