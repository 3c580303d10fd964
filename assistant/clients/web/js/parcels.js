// Things sent from device to device: a text, a link, a small file.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { ApiError, call } from "./api.js";
import { devices } from "./devices.js";
import { on } from "./feed.js";
import { Link } from "./markdown.js";
import { Problem, dialog, say, saved } from "./parts.js";
import { client } from "./session.js";
import { use, value } from "./store.js";
import { moment, size, t } from "./words.js";

const MOST_BYTES = 5 * 1024 * 1024;

/** What was sent to this device; null while it is looked for. */
export const parcels = value(null);

export async function read() {
  const page = await call("GET", "/api/v1/parcels").catch(() => null);
  if (page) parcels.set(page.items);
}

on("sync", read);
on("parcel", async ({ id, gone, by }) => {
  await read();
  const arrived = parcels.get()?.find((one) => one.id === id);
  if (arrived && !gone && by !== client) say(t("parcel.arrived", { what: arrived.name || arrived.text }), "#/devices");
});

/** Choose where to send a text. */
export function share(text) {
  dialog.set((close) => html`<${Send} text=${text} close=${close} />`);
}

export function Send({ text = "", close }) {
  const known = use(devices);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const words = useRef(null);
  const file = useRef(null);
  const to = useRef(null);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const body = await parcel(words.current.value.trim(), file.current.files[0]);
      await call("POST", "/api/v1/parcels", { ...body, to: to.current.value || null, client });
      words.current.value = "";
      file.current.value = "";
      say(t("parcel.sent"));
      close?.();
    } catch (found) {
      setProblem(found);
    }
    setBusy(false);
  };
  const ids = close ? "share" : "parcel";
  return html`<form onSubmit=${send}>
    <h2 id=${close ? "dialog-title" : "send-title"}>${t("parcel.send")}</h2>
    <label for="${ids}-text">${t("parcel.text")}</label>
    <textarea id="${ids}-text" ref=${words} rows="3" maxlength="32000">${text}</textarea>
    <label for="${ids}-file">${t("parcel.file", { size: size(MOST_BYTES) })}</label>
    <input id="${ids}-file" ref=${file} type="file" />
    <label for="${ids}-to">${t("parcel.to")}</label>
    <select id="${ids}-to" ref=${to}>
      <option value="">${t("parcel.everyone")}</option>
      ${known?.items?.map((one) => html`<option value=${one.id}>${one.name}</option>`)}
    </select>
    <${Problem} problem=${problem} />
    <div class="row end">
      ${close && html`<button type="button" onClick=${close}>${t("cancel")}</button>`}
      <button class="main" disabled=${busy}>${t("parcel.verb")}</button>
    </div>
  </form>`;
}

async function parcel(text, file) {
  if (!file) return { kind: /^https?:\/\/\S+$/.test(text) ? "link" : "text", text };
  if (file.size > MOST_BYTES) throw new ApiError(413, { code: "body_too_large", message: "", hint: "" });
  return { kind: "file", text, name: file.name, content: await base64(file) };
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

export function Received() {
  const items = use(parcels);
  useEffect(() => void read(), []);
  return html`<section aria-labelledby="received-title">
    <h2 id="received-title">${t("parcel.received")}</h2>
    ${items?.length === 0 && html`<p class="note">${t("parcel.none")}</p>`}
    <ul class="cards">${items?.map((one) => html`<${Parcel} key=${one.id} one=${one} />`)}</ul>
  </section>`;
}

function Parcel({ one }) {
  const [problem, setProblem] = useState(null);
  const save = async () => {
    try {
      const { content } = await call("GET", `/api/v1/parcels/${one.id}`);
      saved(Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), one.name);
    } catch (found) {
      setProblem(found);
    }
  };
  const drop = () => call("DELETE", `/api/v1/parcels/${one.id}`).then(read, setProblem);
  return html`<li class="card">
    ${one.kind === "link" ? html`<p><${Link} href=${one.text}>${one.text}<//></p>` : html`<p class="plain">${one.text}</p>`}
    ${one.kind === "file" && html`<p><strong>${one.name}</strong> (${size(one.bytes)})</p>`}
    <p class="note">${t("parcel.from", { when: moment(one.created_at) })}</p>
    <${Problem} problem=${problem} />
    <div class="row tight">
      ${one.kind === "file"
        ? html`<button type="button" class="quiet" onClick=${save}>${t("parcel.save")}</button>`
        : html`<button type="button" class="quiet" onClick=${() => navigator.clipboard.writeText(one.text)}>${t("copy")}</button>`}
      <button type="button" class="quiet" onClick=${drop}>${t("delete")}</button>
    </div>
  </li>`;
}
