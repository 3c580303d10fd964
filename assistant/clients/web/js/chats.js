// The conversations, and the one that is open: asked here, followed here, and changed by other devices.

import { ApiError, call, stream } from "./api.js";
import { connection, on } from "./feed.js";
import { memoryPaused } from "./settings.js";
import { value } from "./store.js";

const RETRY_MS = 400;
const ENDED = new Set(["done", "failed", "cancelled"]);

/** {items, next, problem}; null while they are looked for. */
export const chats = value(null);

/** The open one: {id, title, turns, problem}; null for none, `turns` null while it is looked for. */
export const chat = value(null);

/** Turns that are being followed: id → AbortController. */
const following = new Map();
/** Turns of the open conversation that were heard of while one of ours had no id yet. */
let heardEarly = [];

const AGAIN_MS = 1_000;

// --- the list ----------------------------------------------------------------------------------

let listing = null;

/** Read the list anew; calls at one time become one. */
export function list() {
  listing ??= new Promise((resolve) => setTimeout(resolve, 20))
    .then(() => {
      listing = null;
      return call("GET", "/api/v1/conversations?limit=50");
    })
    .then(
      (page) => chats.set({ ...page, problem: null }),
      (problem) => {
        chats.update((old) => ({ items: [], next: null, ...old, problem }));
        soon(list);
      },
    );
  return listing;
}

/** Try again what failed though the daemon is there: a network that changes takes calls with it. */
function soon(reading) {
  if (connection.get() === "online") setTimeout(reading, AGAIN_MS);
}

/** Read the next page of it. */
export async function more() {
  const { items, next } = chats.get();
  const page = await call("GET", `/api/v1/conversations?limit=50&cursor=${encodeURIComponent(next)}`);
  const known = new Set(items.map((one) => one.id));
  chats.set({ items: [...items, ...page.items.filter((one) => !known.has(one.id))], next: page.next, problem: null });
}

export async function rename(id, title) {
  await call("PATCH", `/api/v1/conversations/${id}`, { title });
  await list();
}

export async function remove(id) {
  await call("DELETE", `/api/v1/conversations/${id}`);
  if (chat.get()?.id === id) chat.set(null);
  await list();
}

// --- the open one ------------------------------------------------------------------------------

/** Open a conversation; empty: a new one, which begins with its first question. */
export async function open(id) {
  if (id && chat.get()?.id === id && chat.get().turns) return;
  leave();
  chat.set({ id, title: "", turns: id ? null : [], problem: null });
  if (id) await read(id);
}

/** None is open. */
export function leave() {
  for (const one of following.values()) one.abort();
  following.clear();
  heardEarly = [];
  chat.set(null);
}

/** Read it anew. */
export async function read(id) {
  try {
    const found = await call("GET", `/api/v1/conversations/${id}`);
    if (chat.get()?.id !== id) return;
    const live = new Map((chat.get().turns ?? []).map((turn) => [turn.id, turn]));
    // What a stream has shown already is not taken back by what the log has of a running turn.
    const turns = found.turns.map((turn) => (turn.status === "running" ? { ...turn, ...live.get(turn.id) } : turn));
    const asked = (chat.get().turns ?? []).filter((turn) => turn.id === null);
    chat.set({ id, title: found.title, turns: [...turns, ...asked], problem: null });
    for (const turn of turns) if (turn.status === "running") follow(turn.id, turn.seen ?? 0);
  } catch (problem) {
    if (chat.get()?.id !== id) return;
    chat.update((old) => ({ ...old, turns: old.turns ?? [], problem }));
    if (problem.code === "unreachable") soon(() => chat.get()?.id === id && read(id));
  }
}

function change(id, changes) {
  chat.update((old) => old && old.turns && { ...old, turns: old.turns.map((turn) => (turn.id === id ? { ...turn, ...changes } : turn)) });
}

/** Ask. Resolves when the question has been taken; throws ApiError, and then nothing was asked. */
export async function ask(text, begun = () => {}) {
  let { id } = chat.get();
  if (!id) {
    id = (await call("POST", "/api/v1/conversations", {})).id;
    if (chat.get() && !chat.get().id) chat.update((old) => ({ ...old, id }));
    begun(id);
  }
  const mine = { id: null, text, reply: "", status: "running", conversation: id, receipt: null, error: null };
  if (chat.get()?.id === id) chat.update((old) => ({ ...old, turns: [...(old.turns ?? []), mine] }));
  const control = new AbortController();
  const events = stream("POST", `/api/v1/conversations/${id}/turns`, { body: { text, memory: !memoryPaused.get() }, signal: control.signal });
  let first;
  try {
    first = await events.next();
    if (first.done) throw new ApiError(0, { code: "unreachable", message: "", hint: "" });
  } catch (problem) {
    chat.update((old) => old && old.turns && { ...old, turns: old.turns.filter((turn) => turn !== mine) });
    if (problem.code === "unreachable" && (await wasTaken(id, text))) return read(id);
    throw problem;
  }
  const turn = first.value.data.turn;
  chat.update((old) => old && old.turns && { ...old, turns: old.turns.map((one) => (one === mine ? { ...mine, id: turn } : one)) });
  following.set(turn, control);
  take(turn, events, first.value.id, control.signal);
  heardEarly.filter((one) => one !== turn).forEach(arrive);
  heardEarly = [];
}

/** Whether a question whose answer was cut off before its first word had reached the daemon. */
async function wasTaken(id, text) {
  const found = await call("GET", `/api/v1/conversations/${id}`).catch(() => null);
  return found?.turns.at(-1)?.text === text && found.turns.at(-1).status === "running";
}

/** End an answer. */
export async function cancel(turn) {
  await call("DELETE", `/api/v1/turns/${turn}`);
}

function follow(turn, lastId) {
  if (following.has(turn)) return;
  const control = new AbortController();
  following.set(turn, control);
  take(turn, null, lastId, control.signal);
}

/** Read a turn's events to the last one; after a cut, on from the last that was seen. */
async function take(turn, events, lastId, signal) {
  let at = lastId;
  const show = painter(turn);
  while (!signal.aborted) {
    try {
      const source = events ?? stream("GET", `/api/v1/turns/${turn}/events`, { lastId: at, signal });
      events = null;
      for await (const event of source) {
        at = event.id;
        show(event);
        if (event.event === "done" || event.event === "failed") return await finish(turn);
      }
    } catch (problem) {
      if (signal.aborted) return;
      if (problem instanceof ApiError && problem.status) return await finish(turn);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Draws a turn's pieces, once a frame at most. */
function painter(turn) {
  let seen = 0;
  let waiting = "";
  let recalled = null;
  let frame = 0;
  const paint = () => {
    frame = 0;
    const old = chat.get()?.turns?.find((one) => one.id === turn);
    if (!old) return;
    change(turn, { reply: old.reply + waiting, recalled: recalled ?? old.recalled, seen });
    waiting = "";
  };
  return ({ id, event, data }) => {
    // After a reload the reply comes again from its first word.
    if (event === "started") change(turn, { reply: "" });
    if (event === "token") waiting += data.text;
    if (event === "recalled") recalled = data.items;
    if (event === "receipt") change(turn, { receipt: data });
    seen = id;
    frame ||= requestAnimationFrame(paint);
    if (event === "done" || event === "failed") {
      cancelAnimationFrame(frame);
      paint();
    }
  };
}

/** The turn as it was logged is the truth. */
async function finish(turn) {
  following.delete(turn);
  for (let pause = RETRY_MS; chat.get()?.turns?.some((one) => one.id === turn); pause *= 2) {
    try {
      return change(turn, await call("GET", `/api/v1/turns/${turn}`));
    } catch (problem) {
      if (problem.status) return change(turn, { status: "failed", error: { code: problem.code, message: problem.message } });
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, 8_000)));
    }
  }
}

// --- other devices -----------------------------------------------------------------------------

async function arrive(turn) {
  const { id, turns } = chat.get() ?? {};
  if (!turns || turns.some((one) => one.id === turn)) return;
  try {
    const found = await call("GET", `/api/v1/turns/${turn}`);
    const now = chat.get();
    if (now?.id !== id || now.turns.some((one) => one.id === turn)) return;
    chat.set({ ...now, turns: [...now.turns, found] });
    if (found.status === "running") follow(turn, 0);
  } catch {
    // Gone again.
  }
}

on("conversation", ({ id, deleted }) => {
  list();
  if (chat.get()?.id !== id) return;
  if (deleted) chat.update((old) => ({ ...old, turns: [], gone: true }));
  else call("GET", `/api/v1/conversations?limit=50`).then(({ items }) => title(items));
});

function title(items) {
  const found = items.find((one) => one.id === chat.get()?.id);
  if (found) chat.update((old) => ({ ...old, title: found.title }));
}

on("turn_started", ({ turn, conversation }) => {
  list().then(() => title(chats.get().items));
  if (chat.get()?.id !== conversation) return;
  if (chat.get().turns?.some((one) => one.id === null)) heardEarly.push(turn);
  else arrive(turn);
});

on("turn_finished", ({ turn, conversation }) => {
  list();
  const known = chat.get()?.id === conversation && chat.get().turns?.find((one) => one.id === turn);
  if (known && !following.has(turn) && !ENDED.has(known.status)) finish(turn);
  else if (chat.get()?.id === conversation && !known) arrive(turn);
});

on("sync", () => {
  list();
  if (chat.get()?.id) read(chat.get().id);
});

connection.follow((state) => {
  if (state === "online" && chats.get()?.problem) list();
  if (state === "online" && chat.get()?.problem && chat.get().id) read(chat.get().id);
});
