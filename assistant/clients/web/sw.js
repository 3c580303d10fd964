// Keeps the page's own files, so that it opens when the daemon cannot be reached and says so.
//
// Only these files: no answer of the API, no token, nothing that anybody wrote ever gets here.

const shell = /*shell*/;
const CACHE = `nestor-${shell.version}`;
const PATHS = new Set(shell.paths);
/** A phone that left home waits this long for the daemon, then shows what it has. */
const PATIENCE_MS = 2_000;
/** One file that came too late speaks for the others: a page is not half old and half new, and opens at once. */
const AWAY_MS = 10_000;
let late = -Infinity;

addEventListener("install", (event) => {
  const files = shell.paths.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name !== CACHE);
  event.waitUntil(
    caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !PATHS.has(pathname)) return;
  event.respondWith(answer(event.request, pathname));
});

async function answer(request, pathname) {
  const kept = await (await caches.open(CACHE)).match(pathname);
  if (!kept) return fetch(request);
  if (Date.now() - late < AWAY_MS) return kept;
  const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  const fresh = fetch(request).catch(() => null);
  const first = await Promise.race([fresh, patience]);
  if (first?.ok || first?.status === 304) return first;
  late = Date.now();
  return kept;
}
