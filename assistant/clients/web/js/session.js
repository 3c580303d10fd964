// The token of this device: in memory while the page is open, and in IndexedDB, encrypted.
//
// The key cannot be taken out of the browser by a script, and the token is never in an address, in the
// page or in a cookie. This hides it from whoever reads the browser's files by the way. It is no
// protection from a program that runs as you.

import { value } from "./store.js";

const DATABASE = "nestor";
const STORE = "session";

/** The token, null without one, undefined while it is being looked for. */
export const token = value(undefined);

/** What this page calls itself, so that it knows its own echo. */
export const client = crypto.randomUUID();

function request(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function withStore(mode, work) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await request(opening);
  try {
    const transaction = database.transaction(STORE, mode);
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const result = await work(transaction.objectStore(STORE));
    await done;
    return result;
  } finally {
    database.close();
  }
}

/** Find the token that was kept, if any. */
export async function load() {
  try {
    const kept = await withStore("readonly", (store) => request(store.get("token")));
    token.set(kept ? await open(kept) : null);
  } catch {
    token.set(null); // no storage, as in a private window: ask for it each time
  }
}

async function open({ key, iv, sealed }) {
  const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed);
  return new TextDecoder().decode(plain);
}

/** Use this token from now on, here and after a reload. */
export async function keep(text) {
  try {
    const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(text));
    await withStore("readwrite", (store) => request(store.put({ key, iv, sealed }, "token")));
  } catch {
    // Kept in memory alone then.
  }
  token.set(text);
}

/** Forget the token here. */
export async function drop() {
  try {
    await withStore("readwrite", (store) => request(store.delete("token")));
  } catch {
    // There was none.
  }
  // Only now: a page that says it is disconnected is so after a reload too.
  token.set(null);
}
