// What Nestor remembers: look, search, add, correct, forget, and pause.

import { html, useEffect, useState } from "../vendor/preact.js";
import { call } from "./api.js";
import { on } from "./feed.js";
import { Empty, Problem, confirm, dialog, prompt } from "./parts.js";
import { History, Origin } from "./receipt.js";
import { memoryPaused } from "./settings.js";
import { use, value } from "./store.js";
import { t } from "./words.js";

const PAGE = 50;
const TYPING_MS = 250;

/** Changes when any memory did. */
const changed = value(0);
on("memories", () => changed.update((n) => n + 1));
on("sync", () => changed.update((n) => n + 1));

export function Memory() {
  const [query, setQuery] = useState("");
  const [closed, setClosed] = useState(false);
  const [page, setPage] = useState(null);
  const [problem, setProblem] = useState(null);
  const version = use(changed);

  const read = async (control) => {
    try {
      const found = query.trim()
        ? await call("POST", "/api/v1/memories/search", { query: query.trim(), k: PAGE }, { signal: control?.signal })
        : await call("GET", `/api/v1/memories?limit=${PAGE}&closed=${closed}`, undefined, { signal: control?.signal });
      setPage(found);
      setProblem(null);
    } catch (found) {
      if (!control?.signal.aborted) setProblem(found);
    }
  };
  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(() => read(control), query ? TYPING_MS : 0);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [query, closed, version]);
  const more = async () => {
    const next = await call("GET", `/api/v1/memories?limit=${PAGE}&closed=${closed}&cursor=${encodeURIComponent(page.next)}`);
    setPage({ items: [...page.items, ...next.items], next: next.next });
  };
  const adding = () =>
    prompt(t("memory.add"), t("memory.add.label"), "", t("memory.add.verb"), (text) => call("POST", "/api/v1/memories", { text, source: t("memory.source") }), true);

  return html`<section class="page" aria-labelledby="memory-title">
    <h1 id="memory-title">${t("memory")}</h1>
    <p>${t("memory.text")}</p>
    <${Pause} />
    <div class="row wrap">
      <label class="hidden" for="memory-search">${t("memory.search")}</label>
      <input id="memory-search" class="grow" type="search" placeholder=${t("memory.search")} maxlength="2000" value=${query} onInput=${(e) => setQuery(e.target.value)} />
      <button type="button" class="main" onClick=${adding}>${t("memory.add")}</button>
    </div>
    <label class="check"><input type="checkbox" checked=${closed} onChange=${(e) => setClosed(e.target.checked)} /> ${t("memory.closed")}</label>
    <${Problem} problem=${problem} retry=${() => read()} />
    ${page === null && !problem && html`<p class="note">${t("loading")}</p>`}
    ${page?.items.length === 0 && (query ? html`<p class="note" role="status">${t("memory.nothing")}</p>` : html`<${Empty} title=${t("memory.empty")}>${t("memory.empty.text")}<//>`)}
    <ul class="cards">${page?.items.map((row) => html`<${Card} key=${row.id} row=${row} />`)}</ul>
    ${page?.next && !query && html`<button type="button" class="quiet" onClick=${more}>${t("more")}</button>`}
  </section>`;
}

function Pause() {
  const paused = use(memoryPaused);
  return html`<label class="check card">
    <input type="checkbox" role="switch" checked=${paused} onChange=${(e) => memoryPaused.set(e.target.checked)} />
    <span><strong>${t("memory.pause")}</strong><br /><span class="note">${t("memory.pause.text")}</span></span>
  </label>`;
}

function Card({ row }) {
  const [problem, setProblem] = useState(null);
  const whole = () => call("GET", `/api/v1/memories/${row.id}`);
  const editing = () =>
    prompt(t("memory.edit"), t("memory.edit.label"), row.text, t("save"), (text) => text !== row.text && call("PATCH", `/api/v1/memories/${row.id}`, { text }), true);
  const why = () => whole().then((memory) => dialog.set((close) => html`<${History} memory=${memory} close=${close} />`), setProblem);
  const forgetting = () => confirm(t("memory.forget"), t("memory.forget.text"), t("forget"), () => call("DELETE", `/api/v1/memories/${row.id}`));
  return html`<li class=${row.valid_to ? "card old" : "card"}>
    <p>${row.text}</p>
    ${row.trust ? html`<${Origin} memory=${row} />` : html`<p class="note">${t(`kind.${row.kind}`)}</p>`}
    <${Problem} problem=${problem} />
    <div class="row tight">
      <button type="button" class="quiet" onClick=${why}>${t("why")}</button>
      ${!row.valid_to && html`<button type="button" class="quiet" onClick=${editing}>${t("edit")}</button>`}
      <button type="button" class="quiet" onClick=${forgetting}>${t("forget")}</button>
    </div>
  </li>`;
}
