// How a device is let in: its own side (a token, a code, a QR code) and the owner's.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { encode } from "../vendor/uqr.js";
import { ApiError, call } from "./api.js";
import { arrival } from "./arrival.js";
import { claim, isCode, ownName } from "./claim.js";
import { connection } from "./feed.js";
import { Icon, Problem } from "./parts.js";
import { keep, token } from "./session.js";
import { use } from "./store.js";
import { t } from "./words.js";

const POLL_MS = 1_000;
const SCOPES = ["chat", "memory.read", "memory.write", "tools", "approve", "admin"];
const PHONE = ["chat", "memory.read", "memory.write"];

/** The first screen of a device that is not known yet. */
export function Connect() {
  const field = useRef(null);
  const name = useRef(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [check, setCheck] = useState("");
  const state = use(connection);
  const scanned = arrival?.what === "pair" && !arrival.spent ? arrival : null;
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const text = scanned ? "" : field.current.value.trim();
      if (!scanned && !isCode(text)) return await connect(text);
      const proof = { proof: scanned?.secret ?? text, fingerprint: scanned?.fingerprint ?? "", name: name.current?.value.trim() || ownName() };
      const granted = await claim(proof, setCheck);
      if (scanned) scanned.spent = true;
      await keep(granted);
    } catch (found) {
      // A window that refused is closed, or another device's: type a new code then.
      if (scanned && found.status) scanned.spent = true;
      setProblem(found);
      setBusy(false);
      setCheck("");
    }
  };
  return html`<main class="connect" id="main">
    <img src="/icon.svg" alt="" width="72" height="72" />
    <h1>${t(scanned ? "pair.title" : "connect.title")}</h1>
    <p>${t(scanned ? "pair.new" : "connect.text")}</p>
    <form onSubmit=${go}>
      ${scanned
        ? html`<label for="name">${t("devices.name")}</label><input id="name" ref=${name} required maxlength="200" value=${ownName()} />`
        : html`<label for="code">${t("connect.label")}</label>
            <input id="code" ref=${field} required autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="200" type="password" />
            <p class="note">${t("connect.hint")} <code>nestor pair</code>, <code>nestor token</code></p>`}
      <${Problem} problem=${problem} />
      ${state === "offline" && html`<p class="problem" role="status">${t("offline.title")}</p>`}
      ${check ? html`<${Check} check=${check}>${t("pair.wait")}<//>` : html`<button class="main" disabled=${busy}>${t("connect.verb")}</button>`}
    </form>
    <ul class="promises">
      <li><${Icon} name="memory" /> ${t("connect.promise.memory")}</li>
      <li><${Icon} name="devices" /> ${t("connect.promise.devices")}</li>
    </ul>
  </main>`;
}

function Check({ check, children }) {
  return html`<div class="card" role="status"><p>${children}</p><p class="check-characters">${check.slice(0, 4)} ${check.slice(4)}</p></div>`;
}

/** Try a token before it is kept. */
async function connect(text) {
  let response;
  try {
    response = await fetch("/api/v1/status", { headers: { Authorization: `Bearer ${text}` }, cache: "no-store", credentials: "omit" });
  } catch (problem) {
    const code = problem instanceof TypeError && /header|ISO-8859-1/i.test(problem.message) ? "unauthorized" : "unreachable";
    throw new ApiError(0, { code, message: "", hint: "" });
  }
  if (response.ok || response.status === 403) return keep(text);
  const told = await response.json().catch(() => ({}));
  throw new ApiError(response.status, told.error ?? { code: "internal", message: "", hint: "" });
}

/** `nestor open` brought a ticket that ends in a minute: take a token of this browser's own for it. */
export async function redeem() {
  if (arrival?.what !== "open") return;
  const ticket = (method, path, body) => call(method, path, body, { bearer: arrival.secret });
  try {
    const { id } = await ticket("GET", "/api/v1/devices/me");
    const wanted = { name: t("pair.browser", { name: ownName() }), kind: "program", scopes: SCOPES };
    const granted = token.get() ? null : await ticket("POST", "/api/v1/devices", wanted);
    await ticket("DELETE", `/api/v1/devices/${id}`).catch(() => {}); // it ends by itself then
    if (granted) await keep(granted.token);
  } catch {
    // Too late, or used before: the first screen says what to do.
  }
}

// --- the owner's side --------------------------------------------------------------------------

/** Bring another device in. */
export function Pair({ done }) {
  const [wanted, setWanted] = useState(PHONE);
  const [opened, setOpened] = useState(null);
  const [state, setState] = useState(null);
  const [problem, setProblem] = useState(null);
  // A window that `nestor pair` opened is seen here too.
  const at = state?.state ?? "closed";
  const look = () =>
    call("GET", "/api/v1/pair").then((found) => {
      setState(found);
      if (opened && (found.state === "closed" || found.state === "accepted")) end();
    }, setProblem);
  useEffect(() => void look(), []);
  useEffect(() => {
    const timer = setInterval(look, POLL_MS);
    return () => clearInterval(timer);
  }, [opened]);
  const end = () => {
    setOpened(null);
    setState(null);
    done();
  };
  const start = () => {
    setProblem(null);
    setState(null);
    call("POST", "/api/v1/pair", { scopes: wanted }).then(setOpened, setProblem);
  };
  const accept = () => call("POST", "/api/v1/pair/accept", { check: state.check }).then(end, setProblem);
  const cancel = () => call("DELETE", "/api/v1/pair").then(end, setProblem);
  const toggle = (scope) => setWanted(wanted.includes(scope) ? wanted.filter((one) => one !== scope) : [...wanted, scope]);
  return html`<section class="card" aria-labelledby="pair-title">
    <h2 id="pair-title">${t("pair.other")}</h2>
    <${Problem} problem=${problem} />
    ${!opened && at !== "claimed" &&
    html`<p class="note">${t("pair.text")}</p>
      <fieldset><legend>${t("pair.scopes")}</legend>
        ${SCOPES.map((one) => html`<label class="check"><input type="checkbox" checked=${wanted.includes(one)} disabled=${one === "chat"} onChange=${() => toggle(one)} /> ${t(`scope.${one}`)}</label>`)}
      </fieldset>
      <button type="button" class="main" onClick=${start}>${t("pair.verb")}</button>`}
    ${opened && at !== "claimed" && html`<${Code} opened=${opened} left=${state?.expires_in_s ?? opened.expires_in_s} />`}
    ${at === "claimed" && html`<${Check} check=${state.check}>${t("pair.same", { name: state.name })}<//>`}
    ${(opened || at === "claimed") &&
    html`<div class="row end">
      <button type="button" onClick=${cancel}>${t("cancel")}</button>
      ${at === "claimed" && html`<button type="button" class="main" onClick=${accept}>${t("pair.accept")}</button>`}
    </div>`}
  </section>`;
}

function Code({ opened, left }) {
  const { data, size } = encode(opened.url, { border: 2 });
  const dots = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return html`<p>${t("pair.scan")}</p>
    <svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label=${t("pair.qr")}><path d=${dots} /></svg>
    <p>${t("pair.type")} <strong>${opened.url.split("/#")[0]}</strong> ${t("pair.code")} <strong class="check-characters">${opened.code}</strong></p>
    <p class="note">${t("pair.left", { n: left })}</p>`;
}
