// Language, looks, this device, and the state of the daemon.

import { html, useEffect, useState } from "../vendor/preact.js";
import { call } from "./api.js";
import { Problem, confirm, saved } from "./parts.js";
import { drop } from "./session.js";
import { theme } from "./settings.js";
import { use } from "./store.js";
import { choose, language, number, size, t } from "./words.js";

export function Options({ install }) {
  const dress = use(theme);
  const code = use(language);
  return html`<section class="page" aria-labelledby="settings-title">
    <h1 id="settings-title">${t("settings")}</h1>
    <fieldset>
      <legend>${t("settings.theme")}</legend>
      ${["auto", "light", "dark"].map(
        (one) => html`<label class="check"><input type="radio" name="theme" value=${one} checked=${dress === one} onChange=${() => theme.set(one)} /> ${t(`theme.${one}`)}</label>`,
      )}
    </fieldset>
    <label for="language">${t("settings.language")}</label>
    <select id="language" value=${code} onChange=${(e) => choose(e.target.value)}>
      <option value="en" lang="en">English</option>
      <option value="fr" lang="fr">Français</option>
    </select>
    <h2>${t("settings.app")}</h2>
    ${install
      ? html`<button type="button" class="main" onClick=${() => install.prompt()}>${t("settings.install")}</button>`
      : html`<p class="note">${isSecureContext ? t("settings.install.how") : t("settings.insecure")}</p>`}
    ${location.protocol === "https:" && html`<${Authority} />`}
    <${State} />
    <h2>${t("settings.this")}</h2>
    <p>${t("settings.leave.text")}</p>
    <button type="button" class="danger" onClick=${() => confirm(t("settings.leave"), t("settings.leave.text"), t("settings.leave"), drop)}>${t("settings.leave")}</button>
  </section>`;
}

/** What a phone installs once, so that its browser trusts this page: it is read with the token, then saved. */
function Authority() {
  const [problem, setProblem] = useState(null);
  const save = () => call("GET", "/api/v1/pair/authority").then(({ authority }) => saved(authority, "nestor.crt", "application/x-x509-ca-cert")).catch(setProblem);
  return html`<h2>${t("authority")}</h2>
    <p>${t("authority.text")}</p>
    <${Problem} problem=${problem} />
    <button type="button" onClick=${save}>${t("authority.save")}</button>
    <p class="note">${t("authority.how")}</p>`;
}

function State() {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => void call("GET", "/api/v1/status").then(setFound, setProblem), []);
  const model = found?.model;
  const rows = found && [
    [t("status.version"), found.version],
    [t("status.model"), model && `${model.id} (${t(`model.${model.state}`)})`],
    [t("receipt.where"), model?.layers ? `${model.device}, ${model.gpu_layers} / ${model.layers}` : model?.device],
    [t("status.memories"), found.memory && number(found.memory.count)],
    [t("status.ram"), found.children && size(found.children.reduce((sum, one) => sum + one.rss_bytes, 0))],
  ];
  return html`<h2>${t("status")}</h2>
    <${Problem} problem=${problem} />
    ${rows && html`<dl class="facts">${rows.filter(([, text]) => text).map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>`}`;
}
