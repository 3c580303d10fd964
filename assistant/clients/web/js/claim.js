// A new device's side of pairing: it shows the secret or the code, and waits for the owner's yes.

import { ApiError } from "./api.js";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE = /^[0-9a-z]{4}[- ]?[0-9a-z]{4}$/i;
const PAUSE_MS = 500;

/** Whether a text is a code to pair with, rather than a token. */
export const isCode = (text) => CODE.test(text);

/** What to call this device. */
export function ownName() {
  const agent = navigator.userAgent;
  if (/iPhone/.test(agent)) return "iPhone";
  if (/iPad/.test(agent)) return "iPad";
  if (/Android/.test(agent)) return "Android";
  return /Mac/.test(agent) ? "Mac" : /Windows/.test(agent) ? "Windows" : "Linux";
}

/**
 * Claim, say by `shown(check)` which characters the owner must see, and resolve with the token.
 *
 * `fingerprint` is what the QR code said of the certificate; if the daemon says otherwise, somebody stands
 * between. Throws ApiError.
 */
export async function claim({ proof, fingerprint, name }, shown) {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18)))).replace(/\+/g, "-").replace(/\//g, "_");
  const kind = matchMedia("(pointer: coarse)").matches ? "phone" : "computer";
  for (;;) {
    const answer = await ask({ proof, nonce, name, kind });
    const check = await characters([fingerprint || answer.fingerprint, answer.salt, nonce, name]);
    if (check !== answer.check) throw new ApiError(0, { code: "pairing_intercepted", message: "", hint: "" });
    if (answer.token) return answer.token;
    shown(check);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function ask(body) {
  let response;
  try {
    response = await fetch("/api/v1/pair/claim", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), cache: "no-store", credentials: "omit",
    });
  } catch {
    throw new ApiError(0, { code: "unreachable", message: "", hint: "" });
  }
  const told = await response.json();
  if (!response.ok) throw new ApiError(response.status, told.error);
  return told;
}

/** The eight characters of both screens: the first 40 bits of a SHA-256, five at a time. */
async function characters(parts) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\n"))));
  const bits = [...digest.slice(0, 5)].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{5}/g).map((five) => CROCKFORD[parseInt(five, 2)]).join("");
}
