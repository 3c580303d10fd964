// The page: which view is shown, and what stands around it.

import "./arrival.js";
import { html, render, useEffect, useRef } from "../vendor/preact.js";
import { Chat } from "./chat.js";
import { chats, leave, list, more } from "./chats.js";
import * as desk from "./desk.js";
import { Devices } from "./devices.js";
import { connection, start, stop } from "./feed.js";
import { Memory } from "./memory.js";
import { Options } from "./options.js";
import { Connect, redeem } from "./pair.js";
import { parcels } from "./parcels.js";
import { Dialog, Empty, Icon, Problem, dialog, news } from "./parts.js";
import { route } from "./route.js";
import { load, token } from "./session.js";
import { use, value } from "./store.js";
import { language, moment, t } from "./words.js";

/** What the browser lets us install with, once it has offered it. */
const install = value(null);
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  install.set(event);
});

function App() {
  const code = use(language);
  const known = use(token);
  useEffect(() => {
    document.documentElement.lang = code;
  }, [code]);
  useEffect(() => {
    if (known) start();
    else stop();
    if (!known) leave();
  }, [known]);
  if (known === undefined) return null;
  return html`<div class="root" key=${code}>
    ${known ? html`<${Home} />` : html`<${Connect} />`}
    <${News} />
    <${Open} />
  </div>`;
}

function Home() {
  const { name, id } = use(route);
  const offered = use(install);
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    // Who cannot see the view change is brought to its beginning.
    const within = main.current.contains(document.activeElement);
    if (!first.current && !within) main.current.focus({ preventScroll: true });
    first.current = false;
    if (name !== "chat") desk.opened("");
    document.title = "Nestor";
  }, [name, id]);
  const views = {
    memory: () => html`<${Memory} />`,
    devices: () => html`<${Devices} />`,
    settings: () => html`<${Options} install=${offered} />`,
    chat: () => html`<${Chat} id=${id} />`,
  };
  return html`<button type="button" class="skip" onClick=${() => main.current.focus()}>${t("skip")}</button>
    <${Connection} />
    <div class="frame" data-view=${name}>
      <div class="side">
        <${Chats} open=${name === "chat" ? id : ""} />
        <${Tabs} name=${name} />
      </div>
      <main id="main" tabindex="-1" ref=${main}>${(views[name] ?? (() => html`<${Chat} id="" />`))()}</main>
    </div>`;
}

function Connection() {
  const state = use(connection);
  if (state === "online" || state === "connecting") return null;
  return html`<div class="banner" role="status"><strong>${t(`${state}.title`)}</strong> ${t(`${state}.text`)}</div>`;
}

function Chats({ open }) {
  const found = use(chats);
  const other = use(desk.elsewhere);
  useEffect(() => void list(), []);
  const theirs = other && found?.items.find((one) => one.id === other.conversation);
  return html`<section class="list" aria-labelledby="chats-title">
    <header class="bar">
      <h2 id="chats-title">${t("chats")}</h2>
      <a class="button main" href="#/new"><${Icon} name="plus" /> ${t("chat.new")}</a>
    </header>
    ${theirs && theirs.id !== open && html`<a class="continue" href="#/chat/${theirs.id}">${t("continue", { title: theirs.title })}</a>`}
    <${Problem} problem=${found?.problem} retry=${list} />
    ${found === null && html`<p class="note">${t("loading")}</p>`}
    ${found && !found.problem && found.items.length === 0 && html`<${Empty} title=${t("chats.empty")}>${t("chats.empty.text")}<//>`}
    <ul>${found?.items.map(
      (one) => html`<li key=${one.id}><a href="#/chat/${one.id}" aria-current=${one.id === open ? "page" : undefined}>
        <span class="title">${one.title || t("chat.new")}</span><span class="note">${moment(one.updated_at)}</span></a></li>`,
    )}</ul>
    ${found?.next && html`<button type="button" class="quiet" onClick=${more}>${t("more")}</button>`}
  </section>`;
}

function Tabs({ name }) {
  const count = use(parcels)?.length ?? 0;
  const tab = (view, icon, label, badge) => html`<a href="#/${view === "home" ? "" : view}" aria-current=${name === view ? "page" : undefined}>
    <${Icon} name=${icon} /><span>${label}</span>${badge > 0 && html`<span class="badge">${badge}<span class="hidden"> ${t("parcel.waiting")}</span></span>`}</a>`;
  return html`<nav class="tabs" aria-label=${t("views")}>
    ${tab("home", "chat", t("chats"))} ${tab("memory", "memory", t("memory"))}
    ${tab("devices", "devices", t("devices"), count)} ${tab("settings", "settings", t("settings"))}
  </nav>`;
}

function News() {
  const items = use(news);
  return html`<div class="news" role="status" aria-live="polite">${items.map(
    (one) => html`<p key=${one.id}>${one.link ? html`<a href=${one.link}>${one.text}</a>` : one.text}</p>`,
  )}</div>`;
}

function Open() {
  const draw = use(dialog);
  return draw && html`<${Dialog} key=${draw} draw=${draw} />`;
}

/** The service worker keeps the page's own files for when the daemon cannot be reached; nothing else. */
async function keepShell() {
  if (!("serviceWorker" in navigator)) return;
  const address = "/sw.js";
  const policy = globalThis.trustedTypes?.createPolicy("nestor", { createScriptURL: () => address });
  try {
    await navigator.serviceWorker.register(policy ? policy.createScriptURL("") : address);
  } catch {
    // Without a certificate that the browser trusts there is no offline shell; all the rest works.
  }
}

render(html`<${App} />`, document.getElementById("app"));
load().then(redeem);
keepShell();
