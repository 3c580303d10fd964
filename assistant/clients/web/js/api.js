// The daemon's API: calls, and event streams that are read with fetch, for EventSource sends no token.

import { drop, token } from "./session.js";

/** After this long without a byte a stream is dead; the daemon sends a comment every 15 s. */
const SILENCE_MS = 40_000;

/** What the daemon answered instead, or `unreachable`. */
export class ApiError extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

const unreachable = () => new ApiError(0, { code: "unreachable", message: "Nestor cannot be reached.", hint: "" });

async function send(method, path, { body, lastId, signal } = {}) {
  const used = token.get();
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

/** The JSON that a call answers. Throws ApiError. */
export async function call(method, path, body, signal) {
  const response = await send(method, path, { body, signal });
  try {
    return await response.json();
  } catch (problem) {
    if (signal?.aborted) throw problem;
    throw unreachable();
  }
}

/** Whether the daemon runs, and in what state: `ready`, `starting`, `failed` or `unreachable`. */
export async function health() {
  try {
    const response = await fetch("/health", { cache: "no-store", credentials: "omit" });
    return (await response.json()).state ?? "unreachable";
  } catch {
    return "unreachable";
  }
}

/** Events as they come, as {id, event, data}. Throws ApiError when the connection is lost. */
export async function* stream(method, path, { body, lastId, signal, opened } = {}) {
  const silence = new AbortController();
  signal?.addEventListener("abort", () => silence.abort());
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    const response = await send(method, path, { body, lastId, signal: silence.signal });
    opened?.();
    heard();
    yield* frames(response.body, heard);
  } catch (problem) {
    if (problem instanceof ApiError || signal?.aborted) throw problem;
    throw unreachable();
  } finally {
    clearTimeout(timer);
    silence.abort();
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
