// A conversation: its turns, the answer as it comes, and the field to ask in.

import { Component, html, useEffect, useRef, useState } from "../vendor/preact.js";
import { call } from "./api.js";
import { ask, cancel, chat, chats, open, remove, rename } from "./chats.js";
import * as desk from "./desk.js";
import { Markdown } from "./markdown.js";
import { Empty, Icon, Problem, confirm, dialog, prompt } from "./parts.js";
import { Receipt, Why } from "./receipt.js";
import { go } from "./route.js";
import { memoryPaused } from "./settings.js";
import { share } from "./parcels.js";
import { use } from "./store.js";
import * as voice from "./voice.js";
import { explained, t } from "./words.js";

const SHOWN_TURNS = 60;
const WARM_MS = 300;

export function Chat({ id }) {
  const now = use(chat);
  useEffect(() => {
    open(id);
    desk.opened(id);
  }, [id]);
  const title = now?.title || chats.get()?.items.find((one) => one.id === id)?.title || t("chat.new");
  return html`<section class="chat" aria-labelledby="chat-title">
    <header class="bar">
      <a class="button back" href="#/" aria-label=${t("chat.back")}><${Icon} name="back" /></a>
      <h1 id="chat-title">${title}</h1>
      ${id && html`<${Actions} id=${id} title=${title} />`}
    </header>
    <${Turns} now=${now} />
    ${now?.gone ? html`<p class="note" role="status">${t("chat.gone")}</p>` : html`<${Composer} now=${now} />`}
  </section>`;
}

function Actions({ id, title }) {
  const renaming = () => prompt(t("chat.rename"), t("chat.title"), title, t("save"), (text) => rename(id, text));
  const deleting = () =>
    confirm(t("chat.delete"), t("chat.delete.text", { title }), t("delete"), async () => {
      await remove(id);
      go("/");
    });
  return html`<div class="row tight">
    <button type="button" class="quiet" onClick=${renaming}>${t("rename")}</button>
    <button type="button" class="quiet" onClick=${deleting}>${t("delete")}</button>
  </div>`;
}

function Turns({ now }) {
  const place = useRef(null);
  const [shown, setShown] = useState(SHOWN_TURNS);
  const turns = now?.turns;
  const last = turns?.at(-1);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [turns?.length, last?.reply, last?.status]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = place.current;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 80;
  };
  const running = last?.status === "running";
  return html`<div class="turns" ref=${place} onScroll=${scrolled} tabindex="0" role="log" aria-label=${t("chat.log")} aria-busy=${running ? "true" : "false"}>
    <${Problem} problem=${now?.problem} retry=${() => read(now.id)} />
    ${turns === null && html`<p class="note">${t("loading")}</p>`}
    ${turns?.length === 0 && !now.problem && !now.gone && html`<${Welcome} />`}
    ${turns?.length > shown && html`<button type="button" class="quiet" onClick=${() => setShown(shown + SHOWN_TURNS)}>${t("chat.earlier")}</button>`}
    ${turns?.slice(-shown).map((turn, n) => html`<${Turn} key=${turn.id ?? `new-${n}`} turn=${turn} />`)}
  </div>`;
}

function Welcome() {
  return html`<${Empty} title=${t("chat.welcome")}>${t("chat.welcome.text")}<//>`;
}

class Turn extends Component {
  shouldComponentUpdate(next) {
    return next.turn !== this.props.turn;
  }

  render({ turn }) {
    return html`<article class="turn">
      <div class="said"><span class="hidden">${t("you")}: </span>${turn.text}</div>
      <div class="answer" data-turn=${turn.id} data-status=${turn.status}>
        <span class="hidden">Nestor: </span>
        ${turn.reply && html`<${Markdown} text=${turn.reply} />`}
        ${turn.status === "running" && !turn.reply && html`<p class="thinking"><span class="dots" aria-hidden="true"></span>${t("thinking")}</p>`}
        ${turn.status === "cancelled" && html`<p class="note">${t("chat.stopped")}</p>`}
        ${turn.status === "failed" && html`<p class="problem" role="alert">${turn.error ? explained(turn.error) : t("failed")}</p>`}
        <${Foot} turn=${turn} />
      </div>
    </article>`;
  }
}

function Foot({ turn }) {
  if (turn.status === "running") return null;
  const copy = () => navigator.clipboard.writeText(turn.reply);
  const used = turn.receipt?.memories.length ?? 0;
  return html`<div class="row foot">
    ${turn.receipt && html`<button type="button" class="quiet" onClick=${() => dialog.set((close) => html`<${Receipt} turn=${turn} close=${close} />`)}>${t("receipt")}</button>`}
    ${used > 0 && html`<button type="button" class="quiet" onClick=${() => dialog.set((close) => html`<${Why} turn=${turn} close=${close} />`)}>${t("why")}</button>`}
    ${turn.reply && html`<button type="button" class="quiet" onClick=${copy}>${t("copy")}</button>`}
    ${turn.reply && html`<button type="button" class="quiet" onClick=${() => share(turn.reply)}>${t("send.to")}</button>`}
  </div>`;
}

function Composer({ now }) {
  const field = useRef(null);
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  const timer = useRef(0);
  const paused = use(memoryPaused);
  const talking = use(voice.state);
  const misheard = use(voice.problem);
  const id = now?.id ?? "";
  const running = now?.turns?.find((turn) => turn.status === "running");

  const fit = () => {
    field.current.style.height = "auto";
    field.current.style.height = `${Math.min(field.current.scrollHeight, 200)}px`;
  };
  const warm = () => call("POST", "/api/v1/warm", { conversation: id || null, draft: field.current?.value ?? "" }).catch(() => {});
  useEffect(() => {
    // A new conversation that has just got its id keeps what is typed in it meanwhile.
    if (!chat.get()?.turns?.length) field.current.value = "";
    fit();
    setProblem(null);
    voice.shown(id);
    warm();
    return desk.attach(id, (text) => {
      if (!field.current || field.current.value === text) return;
      field.current.value = text;
      fit();
    });
  }, [id]);
  useEffect(() => () => voice.shown(null), []);
  const typed = () => {
    fit();
    desk.typed(id, field.current.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(warm, WARM_MS);
  };
  const send = async (event) => {
    event?.preventDefault();
    const text = field.current.value.trim();
    if (!text || sending || running) return;
    clearTimeout(timer.current);
    setSending(true);
    setProblem(null);
    field.current.value = "";
    fit();
    try {
      await ask(text, (made) => go(`/chat/${made}`, true));
      desk.sent(id);
    } catch (found) {
      setProblem(found);
      if (field.current && !field.current.value) field.current.value = text;
      desk.typed(id, text);
    } finally {
      setSending(false);
    }
  };
  const key = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
    if (event.key === "Escape" && running?.id) cancel(running.id);
  };
  const talk = () => {
    setProblem(null);
    if (talking === "listening") return voice.enough();
    return voice.listen(id, (made) => go(`/chat/${made}`, true)).catch(setProblem);
  };
  const silence = (event) => {
    if (event.key === "Escape") voice.hush();
  };
  return html`<form class="composer" onSubmit=${send} onKeyDown=${silence}>
    <${Problem} problem=${problem ?? misheard} />
    <p class=${talking === "off" ? "hidden" : "note"} role="status">${talking === "off" ? "" : t(`talk.${talking}`)}</p>
    ${paused && html`<p class="note"><a href="#/memory">${t("memory.paused")}</a></p>`}
    <div class="row">
      <label class="hidden" for="question">${t("chat.ask")}</label>
      <textarea id="question" ref=${field} rows="1" placeholder=${t("chat.ask")} maxlength="32000" onInput=${typed} onKeyDown=${key} enterkeyhint="send"></textarea>
      <button type="button" class="round" aria-label=${t(talking === "listening" ? "talk.send" : "talk")} aria-pressed=${talking === "listening" ? "true" : "false"} onClick=${talk}><${Icon} name="microphone" /></button>
      ${running?.id
        ? html`<button type="button" class="main round" aria-label=${t("chat.stop")} onClick=${() => cancel(running.id).catch(setProblem)}><${Icon} name="stop" /></button>`
        : html`<button class="main round" aria-label=${t("chat.send")} disabled=${sending}><${Icon} name="send" /></button>`}
    </div>
  </form>`;
}
