// The account of an answer, and where what it knew came from.

import { html, useEffect, useState } from "../vendor/preact.js";
import { call } from "./api.js";
import { Problem } from "./parts.js";
import { moment, number, t } from "./words.js";

const PARTS = ["system", "pinned", "summary", "history", "memories", "context", "question", "template"];

/** What went into an answer, what it cost, and what left the machine. */
export function Receipt({ turn, close }) {
  const found = turn.receipt;
  const where = found.where ?? {};
  const place = where.gpu_layers ? t("receipt.gpu", { gpu: where.gpu_layers, all: where.layers, device: where.device }) : t("receipt.cpu");
  const rows = [
    [t("receipt.left"), found.left_machine.length ? found.left_machine.map(String).join(", ") : t("receipt.nothing")],
    [t("receipt.model"), found.model],
    [t("receipt.where"), found.model && place],
    [t("receipt.in"), t("receipt.in.text", { all: number(found.tokens_in), cached: number(found.tokens_cached) })],
    [t("receipt.out"), found.tokens_out && number(found.tokens_out)],
    [t("receipt.first"), found.first_token_ms && `${number(found.first_token_ms)} ms`],
    [t("receipt.speed"), found.tokens_per_s && t("receipt.speed.text", { n: number(found.tokens_per_s, 1) })],
    [t("receipt.summarised"), found.summarised && number(found.summarised.turns)],
    [t("receipt.guessed"), found.drafted && `${number(found.accepted)} / ${number(found.drafted)}`],
  ];
  return html`<h2 id="dialog-title">${t("receipt")}</h2>
    <dl class="facts">${rows.filter(([, text]) => text).map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
    <h3>${t("receipt.prompt")}</h3>
    <table class="plain-table">
      <thead><tr><th>${t("receipt.part")}</th><th>${t("receipt.tokens")}</th></tr></thead>
      <tbody>${PARTS.filter((part) => found.tokens[part]).map((part) => html`<tr><td>${t(`part.${part}`)}</td><td>${number(found.tokens[part])}</td></tr>`)}</tbody>
    </table>
    ${found.dropped.length > 0 && html`<h3>${t("receipt.dropped")}</h3><ul>${found.dropped.map((one) => html`<li>${one.turn ?? one.memory}: ${t(`dropped.${one.reason}`)}</li>`)}</ul>`}
    <${Memories} turn=${turn} />
    <div class="row end"><button type="button" class="main" onClick=${close}>${t("close")}</button></div>`;
}

/** "Why do you know this?": the memories that an answer was made from, with where they came from. */
export function Why({ turn, close }) {
  return html`<h2 id="dialog-title">${t("why")}</h2>
    <p>${t("why.text")}</p>
    <${Memories} turn=${turn} bare />
    <div class="row end"><button type="button" class="main" onClick=${close}>${t("close")}</button></div>`;
}

function Memories({ turn, bare }) {
  const [found, setFound] = useState(null);
  const used = turn.receipt.memories;
  useEffect(() => {
    Promise.all(
      used.map((one) =>
        call("GET", `/api/v1/memories/${one.id}`).then(
          (memory) => ({ ...one, memory }),
          (problem) => ({ ...one, problem }),
        ),
      ),
    ).then(setFound);
  }, [turn]);
  if (!used.length) return bare ? null : html`<p>${t("receipt.none")}</p>`;
  return html`${!bare && html`<h3>${t("receipt.memories")}</h3>`}
    ${found === null
      ? html`<p class="note">${t("loading")}</p>`
      : html`<ul class="cards">${found.map(
          ({ memory, problem, score, tokens }) => html`<li class="card">
            ${memory && html`<p>${memory.text}</p><${Origin} memory=${memory} />`}
            ${problem && (problem.code === "memory_not_found" ? html`<p class="note">${t("why.forgotten")}</p>` : html`<${Problem} problem=${problem} />`)}
            <p class="note">${t("receipt.score", { score: number(score, 2), tokens: number(tokens) })}</p>
          </li>`,
        )}</ul>`}`;
}

/** Where a memory came from, in a few words. */
export function Origin({ memory }) {
  const told = [
    t(`trust.${memory.trust}`),
    memory.speaker && t("origin.speaker", { name: memory.speaker }),
    memory.source && t("origin.source", { name: memory.source }),
    t("origin.said", { when: moment(memory.said_at) }),
    memory.valid_to && t("origin.until", { when: moment(memory.valid_to) }),
  ];
  return html`<p class="note">${told.filter(Boolean).join(" · ")}</p>`;
}

/** One memory's origin and every version of it. */
export function History({ memory, close }) {
  const [rows, setRows] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    call("GET", `/api/v1/memories/${memory.id}/history`).then((page) => setRows(page.items), setProblem);
  }, [memory.id]);
  return html`<h2 id="dialog-title">${t("why")}</h2>
    <p>${t("history.text", { trust: t(`trust.${memory.trust}`), when: moment(memory.created_at) })}</p>
    <${Problem} problem=${problem} />
    ${rows &&
    html`<ol class="cards">${rows.map(
      (row) => html`<li class="card">
        <p>${row.text}</p>
        <${Origin} memory=${row} />
        ${!row.valid_to && html`<p class="note strong">${t("history.now")}</p>`}
      </li>`,
    )}</ol>`}
    <p class="note">${memory.id}</p>
    <div class="row end"><button type="button" class="main" onClick=${close}>${t("close")}</button></div>`;
}
