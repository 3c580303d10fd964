// The daemon's API: calls, and event streams that are read with fetch, for EventSource sends no token.

import { drop, token } from "./session.js";

/** After this long without a byte a stream is dead; the daemon sends a comment every 15 s. */
const SILENCE_MS = 40_000;

/** A network that swallows everything says nothing either, and a browser would wait for minutes. */
const HEALTH_MS = 5_000;
const READ_MS = 15_000;

/** Whether the daemon is on this machine, where a lost network changes nothing. */
const NEAR = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

/** What the daemon answered instead, or `unreachable`. */
export class ApiError extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

const unreachable = () => new ApiError(0, { code: "unreachable", message: "Nestor cannot be reached.", hint: "" });

async function send(method, path, { body, lastId, signal, bearer } = {}) {
  const used = bearer ?? token.get();
  const headers = { Authorization: `Bearer ${used}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (lastId !== undefined) headers["Last-Event-ID"] = String(lastId);
  let response;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(path, { method, headers, body: sent, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (problem) {
    if (signal?.aborted) throw problem;
    throw unreachable();
  }
  if (response.ok) return response;
  if (response.status === 401 && used === token.get()) drop();
  const told = await response.json().catch(() => ({}));
  throw new ApiError(response.status, told.error ?? { code: "internal", message: `HTTP ${response.status}`, hint: "" });
}

/** Ends with `signal`, with the network, or `silence` ms after the last `heard()`. */
function patience(signal, silence) {
  const control = new AbortController();
  const stop = () => control.abort();
  let timer;
  signal?.addEventListener("abort", stop);
  if (!NEAR) addEventListener("offline", stop);
  return {
    signal: control.signal,
    heard() {
      clearTimeout(timer);
      timer = setTimeout(stop, silence);
    },
    end() {
      clearTimeout(timer);
      removeEventListener("offline", stop);
      stop();
    },
  };
}

/** The JSON that a call answers, with this page's token or another. Throws ApiError. */
export async function call(method, path, body, { signal, bearer } = {}) {
  const waiting = patience(signal, READ_MS);
  if (method === "GET") waiting.heard();
  try {
    const response = await send(method, path, { body, signal: waiting.signal, bearer });
    return await response.json();
  } catch (problem) {
    if (problem instanceof ApiError || signal?.aborted) throw problem;
    throw unreachable();
  } finally {
    waiting.end();
  }
}

/** Whether the daemon runs, and in what state: `ready`, `starting`, `failed` or `unreachable`. */
export async function health() {
  if (!NEAR && !navigator.onLine) return "unreachable";
  try {
    const response = await fetch("/health", { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(HEALTH_MS) });
    return (await response.json()).state ?? "unreachable";
  } catch {
    return "unreachable";
  }
}

/** Events as they come, as {id, event, data}. Throws ApiError when the connection is lost. */
export async function* stream(method, path, { body, lastId, signal, opened } = {}) {
  const waiting = patience(signal, SILENCE_MS);
  try {
    const response = await send(method, path, { body, lastId, signal: waiting.signal });
    opened?.();
    waiting.heard();
    yield* frames(response.body, waiting.heard);
  } catch (problem) {
    if (problem instanceof ApiError || signal?.aborted) throw problem;
    throw unreachable();
  } finally {
    waiting.end();
  }
}

async function* frames(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const event = frame(part);
      if (event) yield event;
    }
  }
}

function frame(text) {
  const found = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) found[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  return found.data && { id: Number(found.id), event: found.event, data: JSON.parse(found.data) };
}
