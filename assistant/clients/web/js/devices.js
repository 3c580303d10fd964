// Who may ask: this device, the others, and what they send each other.

import { html, useEffect } from "../vendor/preact.js";
import { call } from "./api.js";
import { on } from "./feed.js";
import { Pair } from "./pair.js";
import { Received, Send } from "./parcels.js";
import { Problem, confirm, prompt } from "./parts.js";
import { use, value } from "./store.js";
import { moment, t } from "./words.js";

/** {me, items, problem}; null while they are looked for. `items` is null where this device may not see them. */
export const devices = value(null);

export async function read() {
  try {
    const me = await call("GET", "/api/v1/devices/me");
    const page = await call("GET", "/api/v1/devices").catch((problem) => {
      if (problem.code === "scope_missing") return { items: null };
      throw problem;
    });
    devices.set({ me, items: page.items, problem: null });
  } catch (problem) {
    devices.set({ me: null, items: null, problem });
  }
}

on("sync", read);
on("devices", read);

export function Devices() {
  const found = use(devices);
  useEffect(() => void read(), []);
  return html`<section class="page" aria-labelledby="devices-title">
    <h1 id="devices-title">${t("devices")}</h1>
    <${Received} />
    <section class="card"><${Send} /></section>
    <section aria-labelledby="list-title">
      <h2 id="list-title">${t("devices.list")}</h2>
      ${found?.problem && (found.problem.code === "route_not_found" ? html`<p class="note">${t("devices.later")}</p>` : html`<${Problem} problem=${found.problem} retry=${read} />`)}
      ${found?.me && html`<p class="note">${t("devices.me", { name: nameOf(found.me), scopes: found.me.scopes.map((one) => t(`scope.${one}`)).join(", ") })}</p>`}
      ${found?.items?.length === 0 && html`<p class="note">${t("devices.none")}</p>`}
      <ul class="cards">${found?.items?.map((one) => html`<${Device} key=${one.id} one=${one} />`)}</ul>
      ${found?.me?.scopes.includes("admin") && html`<${Pair} done=${read} />`}
    </section>
  </section>`;
}

const nameOf = (device) => (device.kind === "owner" ? t("devices.owner") : device.name);

function Device({ one }) {
  const renaming = () => prompt(t("devices.rename"), t("devices.name"), one.name, t("save"), (name) => call("PATCH", `/api/v1/devices/${one.id}`, { name }).then(read));
  const revoking = () => confirm(t("devices.revoke"), t("devices.revoke.text", { name: one.name }), t("devices.revoke.verb"), () => call("DELETE", `/api/v1/devices/${one.id}`).then(read));
  return html`<li class="card">
    <p><strong>${one.name}</strong> <span class="note">${t(`device.${one.kind}`)}</span></p>
    <p class="note">${[
      one.scopes.map((scope) => t(`scope.${scope}`)).join(", "),
      one.last_used_at && t("devices.used", { when: moment(one.last_used_at) }),
      one.expires_at && t("devices.expires", { when: moment(one.expires_at) }),
    ].filter(Boolean).join(" · ")}</p>
    <div class="row tight">
      <button type="button" class="quiet" onClick=${renaming}>${t("rename")}</button>
      <button type="button" class="quiet" onClick=${revoking}>${t("devices.revoke.verb")}</button>
    </div>
  </li>`;
}
