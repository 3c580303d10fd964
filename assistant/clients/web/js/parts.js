// Small pieces that views share.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { explained, t } from "./words.js";
import { value } from "./store.js";

/** A picture beside a word; hidden from who hears the page. */
const PATHS = {
  chat: "M4 5h16v11H9l-5 4z",
  memory: "M12 4a8 8 0 1 0 8 8M12 8v4l3 2M16 3l4 1-1 4",
  devices: "M3 5h12v9H3zM1 18h14M17 9h5v10h-5z",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  back: "M14 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  send: "M5 12h13M12 5l7 7-7 7",
  stop: "M7 7h10v10H7z",
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;
}

/** Something went wrong, in words, with a way on. */
export function Problem({ problem, retry }) {
  if (!problem) return null;
  return html`<div class="problem" role="alert">
    <p>${explained(problem)}</p>
    ${retry && html`<button type="button" onClick=${retry}>${t("again")}</button>`}
  </div>`;
}

/** What a list says when there is nothing in it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h3>${title}</h3><p>${children}</p></div>`;
}

/** Save bytes as a file. It is never opened here, whatever it is. */
export function saved(bytes, name, type = "application/octet-stream") {
  const address = URL.createObjectURL(new Blob([bytes], { type }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// --- news in a corner, said once -----------------------------------------------------------------

export const news = value([]);
let counted = 0;

/** Say something in the corner for a while. */
export function say(text, link) {
  const item = { id: (counted += 1), text, link };
  news.update((old) => [...old.slice(-2), item]);
  setTimeout(() => news.update((old) => old.filter((one) => one !== item)), 8_000);
}

// --- dialogs -------------------------------------------------------------------------------------

/** The dialog that is open: a function that draws it, given `close`. */
export const dialog = value(null);

export function Dialog({ draw }) {
  const place = useRef(null);
  const close = () => dialog.set(null);
  useEffect(() => {
    const before = document.activeElement;
    place.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  return html`<dialog ref=${place} aria-labelledby="dialog-title" onClose=${close} onClick=${(e) => e.target === place.current && close()}>
    <div class="dialog">${draw(close)}</div>
  </dialog>`;
}

/** Ask before something that cannot be undone; `work` may throw an ApiError. */
export function confirm(title, text, verb, work) {
  dialog.set((close) => html`<${Confirm} title=${title} text=${text} verb=${verb} work=${work} close=${close} />`);
}

function Confirm({ title, text, verb, work, close }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await work();
      close();
    } catch (found) {
      setProblem(found);
      setBusy(false);
    }
  };
  return html`<h2 id="dialog-title">${title}</h2>
    <p>${text}</p>
    <${Problem} problem=${problem} />
    <div class="row end">
      <button type="button" onClick=${close}>${t("keep")}</button>
      <button type="button" class="danger" disabled=${busy} onClick=${go}>${verb}</button>
    </div>`;
}

/** Ask for one line or a few. */
export function prompt(title, label, text, verb, work, many = false) {
  dialog.set((close) => html`<${Prompt} ...${{ title, label, text, verb, work, many, close }} />`);
}

function Prompt({ title, label, text, verb, work, many, close }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await work(field.current.value.trim());
      close();
    } catch (found) {
      setProblem(found);
      setBusy(false);
    }
  };
  const box = many
    ? html`<textarea id="prompt-field" ref=${field} rows="5" required>${text}</textarea>`
    : html`<input id="prompt-field" ref=${field} value=${text} required maxlength="200" />`;
  return html`<form onSubmit=${go}>
    <h2 id="dialog-title">${title}</h2>
    <label for="prompt-field">${label}</label>
    ${box}
    <${Problem} problem=${problem} />
    <div class="row end">
      <button type="button" onClick=${close}>${t("cancel")}</button>
      <button class="main" disabled=${busy}>${verb}</button>
    </div>
  </form>`;
}
