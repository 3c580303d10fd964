// Talking with the daemon: a microphone up, a voice down, over one WebSocket for each talk.
//
// A tap opens the microphone, the next one closes it; the answer is spoken while it is written. Nothing of
// what is said is kept here, and the microphone is open only between the two taps.

import { call } from "./api.js";
import { token } from "./session.js";
import { value } from "./store.js";

const HEARD_AT = 16_000;
const SPOKEN_AT = 24_000;
/** What is said just before the second tap is heard too. */
const TAIL_MS = 200;

/** `off`, `listening`, `thinking` or `speaking`. */
export const state = value("off");

let now = null;

/** Open the microphone for this chat, or a new one; `made` gets its id. Throws what `explained` can say. */
export async function listen(conversation, made) {
  now?.end();
  const one = (now = new Talk());
  try {
    await one.open();
    const chat = conversation || (await call("POST", "/api/v1/conversations", {})).id;
    if (one !== now) return;
    one.begin(chat);
    if (!conversation) made(chat);
  } catch (problem) {
    one.end();
    throw problem;
  }
}

/** That was all: now it is heard. */
export const enough = () => now?.enough();

/** Silence, at once; what was said is dropped. */
export const hush = () => now?.end();

/** Another chat is shown, or none: the voice ends, an answer goes on being written. */
export const shown = (conversation) => now?.chat && now.chat !== conversation && now.end({ cancel: false });

/** Where what goes wrong in a talk is told. */
export const problem = value(null);

class Talk {
  voice = new Voice(() => this.drained());
  pieces = [];
  ears = null;
  socket = null;
  done = false;

  async open() {
    state.set("listening");
    problem.set(null);
    if (!navigator.mediaDevices) throw { code: "microphone_insecure" };
    this.sound = await navigator.mediaDevices
      .getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } })
      .catch((refused) => {
        throw { code: refused.name === "NotAllowedError" ? "microphone_denied" : "microphone_missing", message: refused.message };
      });
    this.ears = new AudioContext({ sampleRate: HEARD_AT });
    await this.ears.audioWorklet.addModule("/js/microphone.js");
    const worklet = new AudioWorkletNode(this.ears, "microphone", { numberOfOutputs: 0 });
    worklet.port.onmessage = ({ data }) => this.say(data);
    this.ears.createMediaStreamSource(this.sound).connect(worklet);
    // Whoever tapped again before the browser had given the microphone wants it closed.
    if (this.done || this.closed) this.deafen();
  }

  begin(conversation) {
    this.chat = conversation;
    this.socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/talk`, ["nestor.talk.v1", `nestor.bearer.${token.get()}`]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.command({ type: "start", conversation });
      this.pieces.splice(0).forEach((piece) => this.socket.send(piece));
      if (this.closed) this.command({ type: "end" });
    };
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.told(JSON.parse(data)) : this.voice.say(data));
    this.socket.onclose = () => {
      if (!this.done && this === now) problem.set({ code: "unreachable" });
      this.end();
    };
  }

  say(piece) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(piece);
    else this.pieces.push(piece);
  }

  command(one) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(one));
  }

  enough() {
    if (state.get() !== "listening") return;
    state.set("thinking");
    setTimeout(() => {
      this.closed = true;
      this.deafen();
      this.command({ type: "end" });
    }, TAIL_MS);
  }

  told({ event, data }) {
    if (event === "speaking") state.set("speaking");
    else if (event === "interrupted") this.voice.hush();
    else if (event === "nothing_heard") this.fail({ code: "nothing_heard" });
    else if (event === "error") this.fail(data.error);
    else if (event === "spoken") {
      this.spoken = true;
      this.drained();
    }
  }

  fail(found) {
    problem.set(found);
    this.end();
  }

  /** All that was to be said is said, and heard. */
  drained() {
    if (this.spoken && !this.voice.playing.size) this.end();
  }

  deafen() {
    this.sound?.getTracks().forEach((track) => track.stop());
    if (this.ears?.state !== "closed") this.ears?.close();
  }

  end({ cancel = true } = {}) {
    if (this.done) return;
    this.done = true;
    this.deafen();
    this.voice.close();
    if (cancel && !this.spoken) this.command({ type: "cancel" });
    this.socket?.close();
    if (this === now) {
      now = null;
      state.set("off");
    }
  }
}

/** What the daemon says, one piece after the other. */
class Voice {
  context = new AudioContext({ sampleRate: SPOKEN_AT });
  playing = new Set();
  at = 0;

  constructor(drained) {
    this.drained = drained;
  }

  say(bytes) {
    if (this.context.state === "closed") return;
    const samples = new Int16Array(bytes);
    const sound = this.context.createBuffer(1, samples.length, SPOKEN_AT);
    sound.copyToChannel(Float32Array.from(samples, (sample) => sample / 32_768), 0);
    const source = this.context.createBufferSource();
    source.buffer = sound;
    source.connect(this.context.destination);
    source.onended = () => {
      this.playing.delete(source);
      this.drained();
    };
    this.at = Math.max(this.at, this.context.currentTime + 0.05);
    source.start(this.at);
    this.at += sound.duration;
    this.playing.add(source);
  }

  hush() {
    for (const source of this.playing) source.stop();
    this.at = 0;
  }

  close() {
    this.hush();
    if (this.context.state !== "closed") this.context.close();
  }
}

addEventListener("pagehide", hush);
