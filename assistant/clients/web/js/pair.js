// How a device gets its token: here with a code or the owner's token, there with a code that is shown.

import { html, useRef, useState } from "../vendor/preact.js";
import { ApiError } from "./api.js";
import { Icon, Problem } from "./parts.js";
import { keep } from "./session.js";
import { use } from "./store.js";
import { connection } from "./feed.js";
import { t } from "./words.js";

/** The first screen of a device that is not known yet. */
export function Connect() {
  const field = useRef(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const state = use(connection);
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await connect(field.current.value.trim());
    } catch (found) {
      setProblem(found);
      setBusy(false);
    }
  };
  return html`<main class="connect" id="main">
    <img src="/icon.svg" alt="" width="72" height="72" />
    <h1>${t("connect.title")}</h1>
    <p>${t("connect.text")}</p>
    <form onSubmit=${go}>
      <label for="code">${t("connect.label")}</label>
      <input id="code" ref=${field} required autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="200" type="password" />
      <p class="note">${t("connect.hint")} <code>nestor token</code></p>
      <${Problem} problem=${problem} />
      ${state === "offline" && html`<p class="problem" role="status">${t("offline.title")}</p>`}
      <button class="main" disabled=${busy}>${t("connect.verb")}</button>
    </form>
    <ul class="promises">
      <li><${Icon} name="memory" /> ${t("connect.promise.memory")}</li>
      <li><${Icon} name="devices" /> ${t("connect.promise.devices")}</li>
    </ul>
  </main>`;
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

/** How to bring another device in. */
export function Pair() {
  return html`<p class="note">${t("pair.text")} <code>nestor pair</code></p>`;
}
